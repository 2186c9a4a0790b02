// Biases of groups of rows, as experts have them: rows of one group follow each other, first[g] to first[g + 1] - 1, and a row may have a
// weight by which its bias counts (null: 1).
//
// grouped_bias_forward_<f32|bf16>: x [rows, columns] becomes x + w b, b [groups, columns]; fp32, rounded once. first null: one group of
// all.
//   grouped_bias_forward_f32_bf16: x fp32 and b bf16, elements one by one.
//   grid rows; block 256.
// grouped_bias_sum_<f32|bf16>: out [groups, columns] (+)= scale times the sum of w a over a group's rows, a [rows, columns] of that type, 0
// of a group without rows; grouped_bias_sum_bf16_f32: a bf16, out fp32. As column_sum.cu: in fp64, slices of rows ascending, then the
// slices, then the old contents where accumulate is not 0 (else out is overwritten without being read); rounded to fp32, then to the type
// of out.
//   grid (ceil(columns / 32), groups); block 256.
// grouped_bias_weights_<f32|bf16>: grad_weights [rows] fp32 += scale times the sum over columns of a b, in an order that the number of
// columns alone gives.
//   grid rows; block 256.
// No dynamic shared memory. columns a multiple of the elements in 16 bytes, but for the entry points ending in _unaligned.
#include "device.cuh"

// The group of a row: the last that begins at or before it.
DEVICE int32 group_of(const int32* first, int32 groups, int32 row)
{
    int32 low = 0;
    int32 high = first == nullptr ? 1 : groups;
    while (high - low > 1)
    {
        const int32 middle = (low + high) / 2;
        if (first[middle] <= row)
        {
            low = middle;
        }
        else
        {
            high = middle;
        }
    }

    return low;
}

template <typename X, typename B>
DEVICE void forward(X* x, const B* bias, const int32* first, const float* weights, int32 groups, int32 columns)
{
    const int count = Pack<X>::Count;
    const int32 row = blockIdx.x;
    const B* of = bias + (int64)group_of(first, groups, row) * columns;
    X* to = x + (int64)row * columns;
    const float weight = weights == nullptr ? 1.0f : weights[row];
    for (int32 j = threadIdx.x * count; j < columns; j += 256 * count)
    {
        Pack<X> pack = load_pack(to + j);
        const Pack<B> add = load_pack(of + j);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            pack.v[c] = fmaf(weight, add.v[c], pack.v[c]);
        }

        store_pack(to + j, pack);
    }
}

template <typename From, typename T>
DEVICE void sum(
    const From* a, const int32* first, const float* weights, T* out, int32 columns, float scale, int32 accumulate)
{
    const int count = Pack<From>::Count;
    const int width = 32;
    const int slices = 256 / (width / count);
    __shared__ double sums[slices][width];
    const int begin = first[blockIdx.y];
    const int rows = first[blockIdx.y + 1] - begin;
    const int slice = threadIdx.x / (width / count);
    const int inside = threadIdx.x % (width / count) * count;
    const int column = blockIdx.x * width + inside;
    const int slice_rows = (rows + slices - 1) / slices;
    const int end = slice_rows * (slice + 1) < rows ? slice_rows * (slice + 1) : rows;

    double partial[count] = {};
    if (column < columns)
    {
#pragma unroll 4
        for (int row = slice * slice_rows; row < end; row++)
        {
            const Pack<From> pack = load_pack(a + (int64)(begin + row) * columns + column);
            const double weight = weights == nullptr ? 1.0 : (double)weights[begin + row];
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                partial[c] += weight * pack.v[c];
            }
        }
    }

#pragma unroll
    for (int c = 0; c < count; c++)
    {
        sums[slice][inside + c] = partial[c];
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

        T* to = out + (int64)blockIdx.y * columns + mine;
        total *= scale;
        if (accumulate != 0)
        {
            total += to_float(*to);
        }

        *to = from_float<T>((float)total);
    }
}

template <typename T>
DEVICE void weights(
    const T* a, const T* bias, const int32* first, float* grad_weights, int32 groups, int32 columns, float scale)
{
    __shared__ float scratch[8];
    const int count = Pack<T>::Count;
    const int32 row = blockIdx.x;
    const T* of = bias + (int64)group_of(first, groups, row) * columns;
    const T* from = a + (int64)row * columns;
    float dot = 0;
    for (int32 j = threadIdx.x * count; j < columns; j += 256 * count)
    {
        const Pack<T> pack = load_pack(from + j);
        const Pack<T> by = load_pack(of + j);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            dot = fmaf(pack.v[c], by.v[c], dot);
        }
    }

    dot = block_sum(dot, scratch);
    if (threadIdx.x == 0)
    {
        grad_weights[row] = fmaf(scale, dot, grad_weights[row]);
    }
}

#define FORWARD(name, X, B)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        name(X* x, const B* bias, const int32* first, const float* row_weights, int32 groups, int32 columns)         \
    {                                                                                                                \
        forward(x, bias, first, row_weights, groups, columns);                                                       \
    }                                                                                                                \
    EXPORT_KERNEL(name)

#define SUM(name, From, T)                                                                                           \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        name(const From* a, const int32* first, const float* row_weights, T* out, int32 columns, float scale,        \
            int32 accumulate)                                                                                        \
    {                                                                                                                \
        sum(a, first, row_weights, out, columns, scale, accumulate);                                                 \
    }                                                                                                                \
    EXPORT_KERNEL(name)

#define WEIGHTS(name, T)                                                                                             \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        name(const T* a, const T* bias, const int32* first, float* grad_weights, int32 groups, int32 columns,        \
            float scale)                                                                                             \
    {                                                                                                                \
        weights(a, bias, first, grad_weights, groups, columns, scale);                                               \
    }                                                                                                                \
    EXPORT_KERNEL(name)

FORWARD(grouped_bias_forward_f32, float, float)
FORWARD(grouped_bias_forward_bf16, bf16, bf16)
FORWARD(grouped_bias_forward_f32_unaligned, Loose<float>, Loose<float>)
FORWARD(grouped_bias_forward_bf16_unaligned, Loose<bf16>, Loose<bf16>)
FORWARD(grouped_bias_forward_f32_bf16, Loose<float>, Loose<bf16>)
SUM(grouped_bias_sum_f32, float, float)
SUM(grouped_bias_sum_bf16, bf16, bf16)
SUM(grouped_bias_sum_bf16_f32, bf16, float)
SUM(grouped_bias_sum_f32_unaligned, Loose<float>, float)
SUM(grouped_bias_sum_bf16_unaligned, Loose<bf16>, bf16)
SUM(grouped_bias_sum_bf16_f32_unaligned, Loose<bf16>, float)
WEIGHTS(grouped_bias_weights_f32, float)
WEIGHTS(grouped_bias_weights_bf16, bf16)
WEIGHTS(grouped_bias_weights_f32_unaligned, Loose<float>)
WEIGHTS(grouped_bias_weights_bf16_unaligned, Loose<bf16>)
