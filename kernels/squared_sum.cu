// Sum of squares of a gradient, in fp64.
//
// squared_sum_<f32|bf16>: data [count], partials[b] = sum over the elements of tile b (65,536 elements), overwritten. A tensor gets
//   ceil(count / 65,536) partials; those of one parameter object's tensors lie one after the other, and what lies between the tensors
//   is not looked at. grid ceil(count / 65,536); block 256; workspace 8 bytes a tile. count a multiple of 4 (bf16: of 8),
//   but for the entry points ending in _unaligned.
//
// squared_sum_total: out[0] = sum of partials [count], overwritten. grid 1; block 256.
//
// Tiles and the order within them are constants, so the sum is a function of the data alone. No dynamic shared memory.
#include "device.cuh"

template <typename T> DEVICE void squared_sum(const T* data, double* partials, int64 count)
{
    const int width = Pack<T>::Count;
    const int tile = 65536;
    __shared__ double scratch[32];
    const int64 begin = (int64)blockIdx.x * tile;
    const int here = count - begin < tile ? (int)(count - begin) : tile;

    double sum[2] = {};
#pragma unroll 4
    for (int at = threadIdx.x * width; at < here; at += 256 * width)
    {
        const Pack<T> pack = load_pack(data + begin + at);
#pragma unroll
        for (int c = 0; c < width; c++)
        {
            const double value = pack.v[c];
            sum[c % 2] = fma(value, value, sum[c % 2]);
        }
    }

    const double total = block_sum(sum[0] + sum[1], scratch);
    if (threadIdx.x == 0)
    {
        partials[blockIdx.x] = total;
    }
}

#define SQUARED_SUM(name, T)                                                                             \
    extern "C" __global__ void __launch_bounds__(256) name(const T* data, double* partials, int64 count) \
    {                                                                                                    \
        squared_sum(data, partials, count);                                                              \
    }                                                                                                    \
    EXPORT_KERNEL(name)

SQUARED_SUM(squared_sum_f32, float)
SQUARED_SUM(squared_sum_bf16, bf16)
SQUARED_SUM(squared_sum_f32_unaligned, Loose<float>)
SQUARED_SUM(squared_sum_bf16_unaligned, Loose<bf16>)

extern "C" __global__ void __launch_bounds__(256) squared_sum_total(const double* partials, double* out, int32 count)
{
    __shared__ double scratch[32];
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += 256)
    {
        sum += partials[i];
    }

    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0)
    {
        out[0] = sum;
    }
}
EXPORT_KERNEL(squared_sum_total)
