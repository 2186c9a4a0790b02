// What the functions of the emulated cuDNN share.
#pragma once

#include "cudnn_types.h"
#include "driver.h"

namespace emulation
{

// The status of what was refused; its sentence is kept for cudnnGetLastErrorString.
CudnnStatus answer_cudnn(const CudnnRefusal& refusal);

// A descriptor that was made and not destroyed.
CudnnDescriptor& living_descriptor(void* descriptor);

// Runs a function of the library, one at a time.
template <typename Body> CudnnStatus library_call(Body body)
{
    std::lock_guard<std::recursive_mutex> lock(driver.mutex);
    try
    {
        body();
        return CudnnSuccess;
    }
    catch (const CudnnRefusal& refusal)
    {
        return answer_cudnn(refusal);
    }
}

} // namespace emulation
