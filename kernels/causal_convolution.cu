// y = silu(conv(x) + bias): conv causal, each column by its own taps, within documents.
//
// x [rows, columns], rows x_stride elements apart; taps [columns, count], the last for the token itself; first [rows] int32 window rows, of
// which the chunk's first token is `row`; before [count - 1, columns] fp32 is x of the tokens before the chunk, null where there are none;
// bias [columns], null for none.
//
// causal_convolution_forward_<f32|bf16>: y [rows, columns] fp32 and after [count - 1, columns] fp32, x of the last tokens, and `rest`
//   numbers behind it, which become 0; after may be null. Overwritten.
// causal_convolution_backward_<f32|bf16>: with s = dy silu'(conv), dy [rows, columns] fp32:
//   dx [rows, columns], rows dx_stride elements apart: dx[p] is the sum over tokens t = p + j of p's document of
//     taps[count - 1 - j] s[t], plus grad_after [count - 1, columns] fp32 of the last tokens, null where there is none;
//   grad_before [count - 1, columns] fp32: the same of the tokens before the chunk, overwritten; null where there are none;
//   partials [groups, columns, count] fp32: of s[t] x[t - j] over the tokens of a group, ascending: the taps' gradient is
//     column_sum.cu over them; null where nobody wants it;
//   bias_partials [groups, columns] fp32: of s[t] likewise.
// fp32 arithmetic, each output rounded once. A thread has one column of a group's tokens: it reads what its neighbours read, in a row.
//   grid (ceil(columns / 128), groups), groups = ceil(rows / group_rows); block 128; no dynamic shared memory. count at most 16.
#include "activations.cuh"

const int MostTaps = 16;
const int Threads = 128; // what a thread keeps lies so far apart, in a bank of its own

template <typename T> struct Column
{
    const T* x;
    const float* before;
    const T* bias;
    const int32* first;
    int32 row;
    int32 rows;
    int32 columns;
    int32 count;
    int32 x_stride;
    int32 column;
};

// Of a token, or, below 0, of one before the chunk.
template <typename T> DEVICE float x_of(const Column<T>& my, int32 token)
{
    if (token >= 0)
    {
        return to_float(my.x[(int64)token * my.x_stride + my.column]);
    }

    return my.before == nullptr ? 0.0f : my.before[(int64)(token + my.count - 1) * my.columns + my.column];
}

// The first token of a token's document, counted from the chunk's first.
template <typename T> DEVICE int32 first_of(const Column<T>& my, int32 token) { return my.first[token] - my.row; }

template <typename T> DEVICE int32 most_back(const Column<T>& my, int32 token)
{
    const int32 back = token - first_of(my, token);
    return back < my.count - 1 ? back : my.count - 1;
}

template <typename T> DEVICE float convolution(const Column<T>& my, int32 token, const float* taps)
{
    float sum = my.bias == nullptr ? 0.0f : to_float(my.bias[my.column]);
    for (int32 back = most_back(my, token); back >= 0; back--)
    {
        sum = fmaf(taps[(my.count - 1 - back) * Threads], x_of(my, token - back), sum);
    }

    return sum;
}

template <typename T> DEVICE void load_taps(const Column<T>& my, const T* taps, float* into)
{
    for (int32 k = 0; k < my.count; k++)
    {
        into[k * Threads] = to_float(taps[(int64)my.column * my.count + k]);
    }
}

template <typename T> DEVICE void forward(const Column<T>& my, const T* taps, float* y, float* after, int32 rest, int32 group_rows)
{
    __shared__ float shared[MostTaps * Threads];
    float* own = shared + threadIdx.x;
    load_taps(my, taps, own);
    const int32 begin = blockIdx.y * group_rows;
    const int32 end = my.rows - begin < group_rows ? my.rows : begin + group_rows;
    for (int32 t = begin; t < end; t++)
    {
        y[(int64)t * my.columns + my.column] = Silu().at(convolution(my, t, own)).value;
    }

    if (after != nullptr && blockIdx.y == 0)
    {
        for (int32 r = 0; r < my.count - 1; r++)
        {
            after[(int64)r * my.columns + my.column] = x_of(my, my.rows - my.count + 1 + r);
        }

        for (int32 i = my.column; i < rest; i += my.columns)
        {
            after[(int64)(my.count - 1) * my.columns + i] = 0;
        }
    }
}

// Slopes of the tokens from p on, of which those of as many tokens as there are taps are kept.
template <typename T> DEVICE float gradient(const Column<T>& my, int32 p, const float* taps, const float* slopes, const float* after)
{
    const int32 kept = p - (my.rows - my.count + 1);
    float sum = kept >= 0 && after != nullptr ? after[(int64)kept * my.columns + my.column] : 0.0f;
    for (int32 ahead = p < 0 ? -p : 0; ahead < my.count && p + ahead < my.rows; ahead++)
    {
        const int32 t = p + ahead;
        if (p >= first_of(my, t))
        {
            sum = fmaf(taps[(my.count - 1 - ahead) * Threads], slopes[t % my.count * Threads], sum);
        }
    }

    return sum;
}

template <typename T>
DEVICE void backward(const Column<T>& my, const T* taps, const float* dy, const float* after, float* grad_before, T* dx, float* partials,
    float* bias_partials, int32 dx_stride, int32 group_rows)
{
    __shared__ float shared[3 * MostTaps * Threads];
    float* own = shared + threadIdx.x;
    float* sums = own + MostTaps * Threads;
    float* slopes = sums + MostTaps * Threads;
    load_taps(my, taps, own);
    for (int32 k = 0; k < my.count; k++)
    {
        sums[k * Threads] = 0;
    }

    const int32 begin = blockIdx.y * group_rows;
    const int32 end = my.rows - begin < group_rows ? my.rows : begin + group_rows;
    int32 next = begin;
    float of_bias = 0;
    for (int32 p = begin == 0 && grad_before != nullptr ? 1 - my.count : begin; p < end; p++)
    {
        for (; next < p + my.count && next < my.rows; next++)
        {
            const float slope =
                dy[(int64)next * my.columns + my.column] * Silu().at(convolution(my, next, own)).slope;
            slopes[next % my.count * Threads] = slope;
            of_bias += next < end ? slope : 0.0f;
            for (int32 back = next < end ? most_back(my, next) : -1; back >= 0; back--)
            {
                const int32 k = (my.count - 1 - back) * Threads;
                sums[k] = fmaf(slope, x_of(my, next - back), sums[k]);
            }
        }

        const float of_x = gradient(my, p, own, slopes, after);
        if (p >= 0)
        {
            dx[(int64)p * dx_stride + my.column] = from_float<T>(of_x);
        }
        else
        {
            grad_before[(int64)(p + my.count - 1) * my.columns + my.column] = of_x;
        }
    }

    if (bias_partials != nullptr)
    {
        bias_partials[(int64)blockIdx.y * my.columns + my.column] = of_bias;
    }

    if (partials != nullptr)
    {
        for (int32 k = 0; k < my.count; k++)
        {
            partials[((int64)blockIdx.y * my.columns + my.column) * my.count + k] = sums[k * Threads];
        }
    }
}

#define FORWARD(name, T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(128) name(const T* x, const T* taps, const T* bias, const int32* first,   \
        const float* before, float* y, float* after, int32 rest, int32 row, int32 rows, int32 columns, int32 count,             \
        int32 x_stride, int32 group_rows)                                                                                       \
    {                                                                                                                           \
        const int32 column = blockIdx.x * blockDim.x + threadIdx.x;                                                             \
        const Column<T> my{x, before, bias, first, row, rows, columns, count, x_stride, column};                                \
        if (my.column < columns)                                                                                                \
        {                                                                                                                       \
            forward(my, taps, y, after, rest, group_rows);                                                                      \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

FORWARD(causal_convolution_forward_f32, float)
FORWARD(causal_convolution_forward_bf16, bf16)

#define BACKWARD(name, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(128) name(const T* x, const T* taps, const T* bias, const int32* first,   \
        const float* before, const float* dy, const float* grad_after, float* grad_before, T* dx, float* partials,              \
        float* bias_partials, int32 row, int32 rows, int32 columns, int32 count, int32 x_stride, int32 dx_stride,               \
        int32 group_rows)                                                                                                       \
    {                                                                                                                           \
        const int32 column = blockIdx.x * blockDim.x + threadIdx.x;                                                             \
        const Column<T> my{x, before, bias, first, row, rows, columns, count, x_stride, column};                                \
        if (my.column < columns)                                                                                                \
        {                                                                                                                       \
            backward(my, taps, dy, grad_after, grad_before, dx, partials, bias_partials, dx_stride, group_rows);                \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

BACKWARD(causal_convolution_backward_f32, float)
BACKWARD(causal_convolution_backward_bf16, bf16)
