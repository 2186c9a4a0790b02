// x *= factor: what a layer leaves, times a number of the layer's own, and its gradient likewise.
//
// scale_<f32|bf16>: x [count], overwritten; factor [1] of the same type.
// fp32 arithmetic, each output rounded once. A thread has one element.
//   grid ceil(count / 256); block 256; no dynamic shared memory.
#include "device.cuh"

#define SCALE(name, T)                                                                                   \
    extern "C" __global__ void __launch_bounds__(256) name(T* x, const T* factor, int64 count)           \
    {                                                                                                    \
        const int64 i = (int64)blockIdx.x * 256 + threadIdx.x;                                           \
        if (i < count)                                                                                   \
        {                                                                                                \
            x[i] = from_float<T>(to_float(x[i]) * to_float(*factor));                                    \
        }                                                                                                \
    }                                                                                                    \
    EXPORT_KERNEL(name)

SCALE(scale_f32, float)
SCALE(scale_bf16, bf16)
