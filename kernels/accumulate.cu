// sum += addend, element by element, in fp32, rounded once to the type of sum.
//
// accumulate_<f32|bf16|bf16_f32> (the last: bf16 addend, fp32 sum): addend, sum [count]. count a multiple of 8 (f32: of 4).
//   grid ceil(count / (f32: 4,096; else 8,192)); block 256; no dynamic shared memory.
#include "device.cuh"

template <int Width, typename From, typename To> DEVICE void accumulate(const From* addend, To* sum, int64 count)
{
    const int batch = 4;
    const int64 first = ((int64)blockIdx.x * batch * 256 + threadIdx.x) * Width;
    float plus[batch][Width];
    float value[batch][Width];
#pragma unroll
    for (int i = 0; i < batch; i++)
    {
        const int64 at = first + i * 256 * Width;
        if (at < count)
        {
            load_elements(addend + at, plus[i]);
            load_elements(sum + at, value[i]);
        }
    }

#pragma unroll
    for (int i = 0; i < batch; i++)
    {
        const int64 at = first + i * 256 * Width;
        if (at < count)
        {
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                value[i][c] += plus[i][c];
            }

            store_elements(sum + at, value[i]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) accumulate_f32(const float* addend, float* sum, int64 count)
{
    accumulate<4>(addend, sum, count);
}
EXPORT_KERNEL(accumulate_f32)

extern "C" __global__ void __launch_bounds__(256) accumulate_bf16(const bf16* addend, bf16* sum, int64 count)
{
    accumulate<8>(addend, sum, count);
}
EXPORT_KERNEL(accumulate_bf16)

extern "C" __global__ void __launch_bounds__(256) accumulate_bf16_f32(const bf16* addend, float* sum, int64 count)
{
    accumulate<8>(addend, sum, count);
}
EXPORT_KERNEL(accumulate_bf16_f32)
