// out[j] (+)= sum over rows of a[r, j]: the gradient of a bias, and the second stage of that of a norm's scale.
//
// column_sum_<f32|bf16>: a [rows, columns] fp32, out [columns]. column_sum_bf16_<f32|bf16>: a is bf16. The sum is taken in fp64: 32 slices
// (64 where a is bf16) of ceil(rows / slices) rows, each ascending, then the slices ascending, then the old contents where accumulate is
// not 0 (else out is overwritten without being read); rounded to fp32, then to the type of out.
//   grid ceil(columns / 32); block 256; no dynamic shared memory. columns a multiple of 16 bytes of a,
//   but for the entry points ending in _unaligned, whose slices are 8.
#include "device.cuh"

template <typename From, typename T> DEVICE void column_sum(const From* a, T* out, int32 rows, int32 columns, int32 accumulate)
{
    const int count = Pack<From>::Count;
    const int width = 32;
    const int slices = 256 / (width / count);
    __shared__ double sums[slices][width];
    const int slice = threadIdx.x / (width / count);
    const int inside = threadIdx.x % (width / count) * count;
    const int column = blockIdx.x * width + inside;
    const int slice_rows = (rows + slices - 1) / slices;
    const int end = slice_rows * (slice + 1) < rows ? slice_rows * (slice + 1) : rows;

    double sum[count] = {};
    if (column < columns)
    {
#pragma unroll 8
        for (int row = slice * slice_rows; row < end; row++)
        {
            const Pack<From> pack = load_pack(a + (int64)row * columns + column);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                sum[c] += pack.v[c];
            }
        }
    }

#pragma unroll
    for (int c = 0; c < count; c++)
    {
        sums[slice][inside + c] = sum[c];
    }

    block_barrier();
    const int mine = blockIdx.x * width + threadIdx.x;
    if (threadIdx.x < width && mine < columns)
    {
        double total = 0;
        for (int s = 0; s < slices; s++)
        {
            total += sums[s][threadIdx.x];
        }

        if (accumulate != 0)
        {
            total += to_float(out[mine]);
        }

        out[mine] = from_float<T>((float)total);
    }
}

#define COLUMN_SUM(name, From, T)                                                                                              \
    extern "C" __global__ void __launch_bounds__(256) name(const From* a, T* out, int32 rows, int32 columns, int32 accumulate) \
    {                                                                                                                          \
        column_sum(a, out, rows, columns, accumulate);                                                                         \
    }                                                                                                                          \
    EXPORT_KERNEL(name)

COLUMN_SUM(column_sum_f32, float, float)
COLUMN_SUM(column_sum_bf16, float, bf16)
COLUMN_SUM(column_sum_bf16_f32, bf16, float)
COLUMN_SUM(column_sum_bf16_bf16, bf16, bf16)
COLUMN_SUM(column_sum_f32_unaligned, Loose<float>, float)
COLUMN_SUM(column_sum_bf16_unaligned, Loose<float>, bf16)
COLUMN_SUM(column_sum_bf16_f32_unaligned, Loose<bf16>, float)
COLUMN_SUM(column_sum_bf16_bf16_unaligned, Loose<bf16>, bf16)
