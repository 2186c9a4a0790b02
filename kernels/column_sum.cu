// Second stage of a weight gradient: out[c] (+)= sum over rows of partials[r, c].
//
// column_sum_<f32|bf16>: partials [rows, columns] fp32, out [columns]. The sum is taken in fp64: 32 slices of ceil(rows / 32) rows,
// each ascending, then the slices ascending, then the old contents where accumulate is not 0 (else out is overwritten without
// being read); rounded to fp32, then to the type of out.
//   grid ceil(columns / 32); block 256; no dynamic shared memory. columns a multiple of 4.
#include "device.cuh"

template <typename T> DEVICE void column_sum(const float* partials, T* out, int32 rows, int32 columns, int32 accumulate)
{
    const int slices = 32;
    const int width = 32;
    __shared__ double sums[slices][width];
    const int slice = threadIdx.x / (width / 4);
    const int inside = threadIdx.x % (width / 4) * 4;
    const int column = blockIdx.x * width + inside;
    const int slice_rows = (rows + slices - 1) / slices;
    const int end = slice_rows * (slice + 1) < rows ? slice_rows * (slice + 1) : rows;

    double sum[4] = {};
    if (column < columns)
    {
#pragma unroll 8
        for (int row = slice * slice_rows; row < end; row++)
        {
            const Pack<float> pack = load_pack(partials + (int64)row * columns + column);
#pragma unroll
            for (int c = 0; c < 4; c++)
            {
                sum[c] += pack.v[c];
            }
        }
    }

#pragma unroll
    for (int c = 0; c < 4; c++)
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

extern "C" __global__ void __launch_bounds__(256)
column_sum_f32(const float* partials, float* out, int32 rows, int32 columns, int32 accumulate)
{
    column_sum(partials, out, rows, columns, accumulate);
}
EXPORT_KERNEL(column_sum_f32)

extern "C" __global__ void __launch_bounds__(256)
column_sum_bf16(const float* partials, bf16* out, int32 rows, int32 columns, int32 accumulate)
{
    column_sum(partials, out, rows, columns, accumulate);
}
EXPORT_KERNEL(column_sum_bf16)
