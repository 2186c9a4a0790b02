// Matrix products on the CPU, for the emulated cuBLASLt. Sums are of fp32, in chains of `chain` products at most, which are then
// added; parts of a split sum are added in order. So a result depends on the algorithm and on nothing else.
#pragma once

#include <cstdint>

namespace emulation
{

enum class ElementType
{
    Float32,
    BFloat16,
};

constexpr int64_t bytes_of(ElementType type) { return type == ElementType::Float32 ? 4 : 2; }

// Element (row, column) lies `row * row_stride + column * column_stride` elements behind `data`.
struct Matrix
{
    void* data;
    ElementType type;
    int64_t rows;
    int64_t columns;
    int64_t row_stride;
    int64_t column_stride;
};

struct ProductAlgorithm
{
    int chain;
    int splits;
};

// d = alpha a b + beta c + bias, a column that is added to all columns where it has data. Where beta is 0, c is not read. c and d may be
// the same matrix.
void multiply(float alpha, const Matrix& a, const Matrix& b, float beta, const Matrix& c, const Matrix& bias, const Matrix& d,
    ProductAlgorithm algorithm);

} // namespace emulation
