// y = c conv(b h): conv causal, each column by its own taps, within documents (LFM2's short convolution).
//
// x [rows, 3 columns]: b, c, h; taps [columns, count], the last for the token itself; first [rows] int32 window rows, of which the
// chunk's first token is `row`; before [count - 1, columns] is u = b h of the tokens before the chunk, null where there are none.
// u is rounded to its type wherever it is used: a token finds the same in its chunk as in the state of an earlier one.
//
// gated_convolution_forward_<f32|bf16>: y [rows, columns] and after [count - 1, columns], u of the last tokens, and `rest` elements behind
//   it, which become 0; either may be null. Overwritten.
// gated_convolution_backward_<f32|bf16>: with v = dy c:
//   dx [rows, 3 columns]: du h, dy conv, du b, where du[p] is the sum over tokens t = p + j of p's document of taps[count - 1 - j] v[t],
//     plus grad_after [count - 1, columns] fp32 of the last tokens, null where there is none;
//   grad_before [count - 1, columns] fp32: du of the tokens before the chunk, overwritten; null where there are none;
//   partials [groups, columns, count] fp32: of v[t] u[t - j] over the tokens of a group, ascending: the taps' gradient is
//     column_sum.cu over them; null where nobody wants it.
// fp32 arithmetic, each output rounded once. A thread has one column of a group's tokens: it reads what its neighbours read, in a row.
//   grid (ceil(columns / 128), groups), groups = ceil(rows / group_rows); block 128; no dynamic shared memory. count at most 16.
#include "device.cuh"

const int MostTaps = 16;
const int Threads = 128; // a thread's taps lie so far apart, in a bank of its own

template <typename T> struct Column
{
    const T* x;
    const T* before;
    const int32* first;
    int32 row;
    int32 rows;
    int32 columns;
    int32 count;
    int32 column;
};

template <typename T> DEVICE float part_of(const Column<T>& my, int32 token, int32 part)
{
    return to_float(my.x[(int64)token * 3 * my.columns + (int64)part * my.columns + my.column]);
}

// Of a token, or, below 0, of one before the chunk.
template <typename T> DEVICE float u_of(const Column<T>& my, int32 token)
{
    if (token < 0)
    {
        return my.before == nullptr ? 0.0f : to_float(my.before[(int64)(token + my.count - 1) * my.columns + my.column]);
    }

    return to_float(from_float<T>(part_of(my, token, 0) * part_of(my, token, 2)));
}

// The first token of a token's document, counted from the chunk's first.
template <typename T> DEVICE int32 first_of(const Column<T>& my, int32 token)
{
    return my.first[token] - my.row;
}

template <typename T> DEVICE int32 most_back(const Column<T>& my, int32 token)
{
    const int32 back = token - first_of(my, token);
    return back < my.count - 1 ? back : my.count - 1;
}

template <typename T> DEVICE float convolution(const Column<T>& my, int32 token, const float* taps)
{
    float sum = 0;
    for (int32 back = most_back(my, token); back >= 0; back--)
    {
        sum = fmaf(taps[(my.count - 1 - back) * Threads], u_of(my, token - back), sum);
    }

    return sum;
}

template <typename T>
DEVICE float gradient_of_u(const Column<T>& my, int32 token, const float* taps, const T* dy, const float* after)
{
    const int32 kept = token - (my.rows - my.count + 1);
    float sum = kept >= 0 && after != nullptr ? after[(int64)kept * my.columns + my.column] : 0.0f;
    for (int32 ahead = token < 0 ? -token : 0; ahead < my.count && token + ahead < my.rows; ahead++)
    {
        const int32 t = token + ahead;
        if (token >= first_of(my, t))
        {
            const float v = to_float(dy[(int64)t * my.columns + my.column]) * part_of(my, t, 1);
            sum = fmaf(taps[(my.count - 1 - ahead) * Threads], v, sum);
        }
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

template <typename T> DEVICE void forward(const Column<T>& my, const T* taps, T* y, T* after, int32 rest, int32 group_rows)
{
    __shared__ float shared[MostTaps * Threads];
    float* own = shared + threadIdx.x;
    load_taps(my, taps, own);
    const int32 begin = blockIdx.y * group_rows;
    const int32 end = my.rows - begin < group_rows ? my.rows : begin + group_rows;
    if (y != nullptr)
    {
        for (int32 t = begin; t < end; t++)
        {
            y[(int64)t * my.columns + my.column] = from_float<T>(part_of(my, t, 1) * convolution(my, t, own));
        }
    }

    if (after != nullptr && blockIdx.y == 0)
    {
        for (int32 r = 0; r < my.count - 1; r++)
        {
            after[(int64)r * my.columns + my.column] = from_float<T>(u_of(my, my.rows - my.count + 1 + r));
        }

        for (int32 i = my.column; i < rest; i += my.columns)
        {
            after[(int64)(my.count - 1) * my.columns + i] = from_float<T>(0.0f);
        }
    }
}

template <typename T>
DEVICE void backward(const Column<T>& my, const T* taps, const T* dy, const float* grad_after, float* grad_before, T* dx,
    float* partials, int32 group_rows)
{
    __shared__ float shared[2 * MostTaps * Threads];
    float* own = shared + threadIdx.x;
    float* sums = own + MostTaps * Threads;
    load_taps(my, taps, own);
    for (int32 k = 0; k < my.count; k++)
    {
        sums[k * Threads] = 0;
    }

    const int32 begin = blockIdx.y * group_rows;
    const int32 end = my.rows - begin < group_rows ? my.rows : begin + group_rows;
    for (int32 t = begin; t < end; t++)
    {
        const float du = gradient_of_u(my, t, own, dy, grad_after);
        const float out = to_float(dy[(int64)t * my.columns + my.column]);
        const float v = out * part_of(my, t, 1);
        float conv = 0;
        for (int32 back = most_back(my, t); back >= 0; back--)
        {
            const float u = u_of(my, t - back);
            const int32 k = (my.count - 1 - back) * Threads;
            conv = fmaf(own[k], u, conv);
            sums[k] = fmaf(v, u, sums[k]);
        }

        T* to = dx + (int64)t * 3 * my.columns + my.column;
        to[0] = from_float<T>(du * part_of(my, t, 2));
        to[my.columns] = from_float<T>(out * conv);
        to[2 * (int64)my.columns] = from_float<T>(du * part_of(my, t, 0));
    }

    if (partials != nullptr)
    {
        for (int32 k = 0; k < my.count; k++)
        {
            partials[((int64)blockIdx.y * my.columns + my.column) * my.count + k] = sums[k * Threads];
        }
    }

    if (grad_before != nullptr && blockIdx.y == 0)
    {
        for (int32 r = 0; r < my.count - 1; r++)
        {
            grad_before[(int64)r * my.columns + my.column] = gradient_of_u(my, r - my.count + 1, own, dy, grad_after);
        }
    }
}

#define FORWARD(name, T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(128) name(const T* x, const T* taps, const int32* first, const T* before,     \
        T* y, T* after, int32 rest, int32 row, int32 rows, int32 columns, int32 count, int32 group_rows)                        \
    {                                                                                                                           \
        const Column<T> my{x, before, first, row, rows, columns, count, (int32)(blockIdx.x * blockDim.x + threadIdx.x)};        \
        if (my.column < columns)                                                                                                \
        {                                                                                                                       \
            forward(my, taps, y, after, rest, group_rows);                                                                      \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

FORWARD(gated_convolution_forward_f32, float)
FORWARD(gated_convolution_forward_bf16, bf16)

#define BACKWARD(name, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(128) name(const T* x, const T* taps, const int32* first, const T* before,     \
        const T* dy, const float* grad_after, float* grad_before, T* dx, float* partials, int32 row, int32 rows, int32 columns, \
        int32 count, int32 group_rows)                                                                                          \
    {                                                                                                                           \
        const Column<T> my{x, before, first, row, rows, columns, count, (int32)(blockIdx.x * blockDim.x + threadIdx.x)};        \
        if (my.column < columns)                                                                                                \
        {                                                                                                                       \
            backward(my, taps, dy, grad_after, grad_before, dx, partials, group_rows);                                          \
        }                                                                                                                       \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

BACKWARD(gated_convolution_backward_f32, float)
BACKWARD(gated_convolution_backward_bf16, bf16)
