// The same numbers in another type.
//
// cast_f32_bf16 (to nearest even), cast_bf16_f32 (exact): from, to [count]; to overwritten. count a multiple of 8.
//   grid ceil(count / 8,192); block 256; no dynamic shared memory.
#include "device.cuh"

template <typename From, typename To> DEVICE void cast(const From* from, To* to, int64 count)
{
    const int width = 8;
    const int batch = 4;
    const int64 first = ((int64)blockIdx.x * batch * 256 + threadIdx.x) * width;
    float value[batch][width];
#pragma unroll
    for (int i = 0; i < batch; i++)
    {
        if (first + i * 256 * width < count)
        {
            load_elements(from + first + i * 256 * width, value[i]);
        }
    }

#pragma unroll
    for (int i = 0; i < batch; i++)
    {
        if (first + i * 256 * width < count)
        {
            store_elements(to + first + i * 256 * width, value[i]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) cast_f32_bf16(const float* from, bf16* to, int64 count)
{
    cast(from, to, count);
}
EXPORT_KERNEL(cast_f32_bf16)

extern "C" __global__ void __launch_bounds__(256) cast_bf16_f32(const bf16* from, float* to, int64 count)
{
    cast(from, to, count);
}
EXPORT_KERNEL(cast_bf16_f32)
