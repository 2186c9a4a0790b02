// Sums of named rows: to[t] = addend[t] + scale (from[rows[t count]] + ... + from[rows[t count + count - 1]]), added in that order in fp32,
// rounded once. rows [tokens, count] int32; from [any, columns], to and addend [tokens, columns]; addend may be null or `to` itself.
//
// sum_rows_<f32|bf16>: grid tokens; block 256; no dynamic shared memory. columns a multiple of the elements in 16 bytes, but for the entry
//   points ending in _unaligned.
#include "device.cuh"

template <typename T>
DEVICE void sum_rows(const T* from, const int32* rows, const T* addend, T* to, int32 count, int32 columns, float scale)
{
    const int width = Pack<T>::Count;
    const int64 token = blockIdx.x;
    for (int32 j = threadIdx.x * width; j < columns; j += 256 * width)
    {
        Pack<T> sum = load_pack(from + (int64)rows[token * count] * columns + j);
        for (int32 i = 1; i < count; i++)
        {
            const Pack<T> next = load_pack(from + (int64)rows[token * count + i] * columns + j);
#pragma unroll
            for (int c = 0; c < width; c++)
            {
                sum.v[c] += next.v[c];
            }
        }

        const Pack<T> before = addend == nullptr ? Pack<T>{} : load_pack(addend + token * columns + j);
#pragma unroll
        for (int c = 0; c < width; c++)
        {
            sum.v[c] = fmaf(scale, sum.v[c], before.v[c]);
        }

        store_pack(to + token * columns + j, sum);
    }
}

#define SUM_ROWS(name, T)                                                                                                          \
    extern "C" __global__ void __launch_bounds__(256)                                                                              \
        name(const T* from, const int32* rows, const T* addend, T* to, int32 count, int32 columns, float scale)                    \
    {                                                                                                                              \
        sum_rows(from, rows, addend, to, count, columns, scale);                                                                   \
    }                                                                                                                              \
    EXPORT_KERNEL(name)

SUM_ROWS(sum_rows_f32, float)
SUM_ROWS(sum_rows_bf16, bf16)
SUM_ROWS(sum_rows_f32_unaligned, Loose<float>)
SUM_ROWS(sum_rows_bf16_unaligned, Loose<bf16>)
