// Tensors of a graph as it runs: fp32 numbers in the order of their dimensions, whatever their types and strides in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "cudnn_types.h"

namespace emulation
{

// A number as a type holds it.
float rounded(float value, CudnnData type);

// The elements of a tensor in memory; of packed documents those that a document has, and zeros.
std::vector<float> read_tensor(const CudnnTensor& tensor, const void* memory, const std::vector<float>& offsets);

// Elements to memory; of packed documents those that a document has.
void write_tensor(const CudnnTensor& tensor, void* memory, const std::vector<float>& offsets, const std::vector<float>& values);

// The elements of x as they are found where y says that its own are.
std::vector<float> seen_as(const CudnnTensor& x, const std::vector<float>& values, const CudnnTensor& y);

} // namespace emulation
