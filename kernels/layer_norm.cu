// Norm of rows by mean and variance: y = addend + (x - mean) rstd w + b with rstd = 1 / sqrt(mean((x - mean)^2) + eps); w is the weight
// given plus `offset`. The variance is summed about the mean, from registers, so that a mean far from 0 costs it no digits.
//
// layer_norm_forward_<f32|bf16>: x, y, addend [rows, columns], w, b [columns], statistics [rows, 2] fp32: mean, rstd. Overwrites y and the
// statistics; y may be x or the addend; addend and b may be null. fp32, y rounded once.
//   grid rows; block B = clamp(ceil(columns / Count / 4) rounded up to 32, 64, 1024), Count elements in 16 bytes.
//
// layer_norm_backward_<f32|bf16>: with n = (x - mean) rstd,
//   dx = addend + rstd (dy w - mean(dy w) - n mean(dy w n)): overwritten, rounded once; addend may be null, and dx may be addend or dy;
//   partials[0, g, :] and partials[1, g, :] = sums over the rows of group g, ascending, of dy n and of dy: fp32, overwritten. dw and db are
//   column_sum.cu over them. Groups as in rms_norm.cu.
//   grid groups; block B = clamp(ceil(columns / Count / 2) rounded up to 32, 64, 512); workspace 2 * groups * columns * 4 bytes.
//   layer_norm_backward_bf16_f32: all in bf16 but dy, which is fp32, so that dx may not be dy.
//
// Both: columns a multiple of Count, any length: what a block cannot hold in registers it reads again. The entry points ending in
// _unaligned take any columns: their Count is 1. No dynamic shared memory.
#include "norm_rows.cuh"

template <typename T> DEVICE float add_squares(const Pack<T>& pack, float mean, float sum)
{
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        const float centred = pack.v[c] - mean;
        sum = fmaf(centred, centred, sum);
    }

    return sum;
}

template <typename T> DEVICE float add_all(const Pack<T>& pack, float sum)
{
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        sum += pack.v[c];
    }

    return sum;
}

template <typename T>
DEVICE void store_normed(T* to, Pack<T> pack, const Pack<T>& by, const T* bias, const T* addend, float offset, float mean, float rstd)
{
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        pack.v[c] = (pack.v[c] - mean) * rstd * (by.v[c] + offset);
    }

    add_pack(pack, bias, 0);
    add_pack(pack, addend, 0);
    store_pack(to, pack);
}

template <typename T> DEVICE void forward(
    const T* x, const T* w, const T* b, const T* addend, T* y, float* statistics, float offset, float eps, int32 columns)
{
    const int count = Pack<T>::Count;
    const int held = 4;
    __shared__ float scratch[32];
    const int step = blockDim.x * count;
    const int first = threadIdx.x * count;
    const int64 start = (int64)blockIdx.x * columns;
    const T* from = x + start;

    uint4 row[held];
    uint4 weight[held];
#pragma unroll
    for (int i = 0; i < held; i++)
    {
        row[i] = make_uint4(0, 0, 0, 0);
        weight[i] = row[i];
        if (first + i * step < columns)
        {
            row[i] = load_raw(from + first + i * step);
            weight[i] = load_raw(w + first + i * step);
        }
    }

    float sum = 0;
#pragma unroll
    for (int i = 0; i < held; i++)
    {
        sum = add_all(unpack<T>(row[i]), sum);
    }

    for (int at = first + held * step; at < columns; at += step)
    {
        sum = add_all(load_pack(from + at), sum);
    }

    const float mean = block_sum(sum, scratch) / (float)columns;
    float squares = 0;
#pragma unroll
    for (int i = 0; i < held; i++)
    {
        if (first + i * step < columns)
        {
            squares = add_squares(unpack<T>(row[i]), mean, squares);
        }
    }

    for (int at = first + held * step; at < columns; at += step)
    {
        squares = add_squares(load_pack(from + at), mean, squares);
    }

    const float rstd = 1.0f / sqrtf(block_sum(squares, scratch) / (float)columns + eps);
    if (first == 0)
    {
        statistics[2 * blockIdx.x] = mean;
        statistics[2 * blockIdx.x + 1] = rstd;
    }

#pragma unroll
    for (int i = 0; i < held; i++)
    {
        const int at = first + i * step;
        if (at < columns)
        {
            store_normed(y + start + at, unpack<T>(row[i]), unpack<T>(weight[i]), b == nullptr ? nullptr : b + at,
                addend == nullptr ? nullptr : addend + start + at, offset, mean, rstd);
        }
    }

    for (int at = first + held * step; at < columns; at += step)
    {
        store_normed(y + start + at, load_pack(from + at), load_pack(w + at), b == nullptr ? nullptr : b + at,
            addend == nullptr ? nullptr : addend + start + at, offset, mean, rstd);
    }
}

// One row as the backward sees it: its statistics, and the means of dy w and of dy w n.
struct RowGradient
{
    float mean;
    float rstd;
    float gradient_mean;
    float pull;
};

template <typename T>
DEVICE void add_dots(const Pack<T>& dy, const Pack<T>& x, const Pack<T>& w, float offset, const RowGradient& row, float& sum, float& dot)
{
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        const float g = dy.v[c] * (w.v[c] + offset);
        sum += g;
        dot = fmaf(g, (x.v[c] - row.mean) * row.rstd, dot);
    }
}

template <typename T> DEVICE Pack<T> input_gradient(
    const Pack<T>& dy, const Pack<T>& x, const Pack<T>& w, const Pack<T>& addend, float offset, const RowGradient& row)
{
    Pack<T> dx;
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        const float direct = fmaf(dy.v[c], w.v[c] + offset, -row.gradient_mean);
        dx.v[c] = fmaf(fmaf((x.v[c] - row.mean) * row.rstd, row.pull, direct), row.rstd, addend.v[c]);
    }

    return dx;
}

template <typename T, int N>
DEVICE void add_parameters(const Pack<T>& dy, const Pack<T>& x, const RowGradient& row, float (&dw)[N], float (&db)[N])
{
#pragma unroll
    for (int c = 0; c < N; c++)
    {
        dw[c] = fmaf(dy.v[c], (x.v[c] - row.mean) * row.rstd, dw[c]);
        db[c] += dy.v[c];
    }
}

template <typename T, typename G>
DEVICE void backward(const G* dy, const T* x, const float* statistics, const T* w, const T* addend, T* dx, float* partials,
    float offset, int32 rows, int32 columns, int32 group_rows)
{
    const int count = Pack<T>::Count;
    const int held = 2;
    const int parts = Pack<T>::Count / Pack<G>::Count;
    __shared__ float scratch[32];
    const int step = blockDim.x * count;
    const int first = threadIdx.x * count;
    const int begin = blockIdx.x * group_rows;
    const int end = rows - begin < group_rows ? rows : begin + group_rows;
    float* weights = partials + (int64)blockIdx.x * columns;
    float* biases = weights + (int64)gridDim.x * columns;

    float dw[held][count] = {};
    float db[held][count] = {};

    for (int index = begin; index < end; index++)
    {
        // All loads of the row stand before the first use: they are under way together.
        const int64 start = (int64)index * columns;
        RowGradient row = {statistics[2 * (int64)index], statistics[2 * (int64)index + 1], 0.0f, 0.0f};
        uint4 raw_dy[held][parts];
        uint4 raw_x[held];
        uint4 raw_addend[held];
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            const int at = first + i * step;
            raw_x[i] = make_uint4(0, 0, 0, 0);
            raw_addend[i] = raw_x[i];
#pragma unroll
            for (int p = 0; p < parts; p++)
            {
                raw_dy[i][p] = raw_x[i];
            }

            if (at < columns)
            {
#pragma unroll
                for (int p = 0; p < parts; p++)
                {
                    raw_dy[i][p] = load_raw(dy + start + at + p * Pack<G>::Count);
                }

                raw_x[i] = load_raw(x + start + at);
                if (addend != nullptr)
                {
                    raw_addend[i] = load_raw(addend + start + at);
                }
            }
        }

        float sum = 0;
        float dot = 0;
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            // The weight is read twice, from the first-level cache: registers decide how many blocks a multiprocessor holds.
            if (first + i * step < columns)
            {
                add_dots(unpack_as<T, G>(raw_dy[i]), unpack<T>(raw_x[i]), load_pack(w + first + i * step), offset, row, sum, dot);
            }
        }

        for (int at = first + held * step; at < columns; at += step)
        {
            add_dots(load_as<T>(dy + start + at), load_pack(x + start + at), load_pack(w + at), offset, row, sum, dot);
        }

        row.gradient_mean = block_sum(sum, scratch) / (float)columns;
        row.pull = -(block_sum(dot, scratch) / (float)columns);
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            const int at = first + i * step;
            if (at < columns)
            {
                const Pack<T> gradient = unpack_as<T, G>(raw_dy[i]);
                const Pack<T> from = unpack<T>(raw_x[i]);
                add_parameters(gradient, from, row, dw[i], db[i]);
                store_pack(dx + start + at, input_gradient(gradient, from, load_pack(w + at), unpack<T>(raw_addend[i]), offset, row));
            }
        }

        for (int at = first + held * step; at < columns; at += step)
        {
            const Pack<T> gradient = load_as<T>(dy + start + at);
            const Pack<T> from = load_pack(x + start + at);
            const Pack<T> plus = addend != nullptr ? load_pack(addend + start + at) : unpack<T>(make_uint4(0, 0, 0, 0));
            float weight_sums[count] = {};
            float bias_sums[count] = {};
            if (index > begin)
            {
                load_elements(weights + at, weight_sums);
                load_elements(biases + at, bias_sums);
            }

            add_parameters(gradient, from, row, weight_sums, bias_sums);
            store_elements(weights + at, weight_sums);
            store_elements(biases + at, bias_sums);
            store_pack(dx + start + at, input_gradient(gradient, from, load_pack(w + at), plus, offset, row));
        }
    }

#pragma unroll
    for (int i = 0; i < held; i++)
    {
        if (first + i * step < columns)
        {
            store_elements(weights + first + i * step, dw[i]);
            store_elements(biases + first + i * step, db[i]);
        }
    }
}

#define FORWARD(name, T)                                                                                                           \
    extern "C" __global__ void __launch_bounds__(1024)                                                                             \
        name(const T* x, const T* w, const T* b, const T* addend, T* y, float* statistics, float offset, float eps, int32 columns) \
    {                                                                                                                              \
        forward(x, w, b, addend, y, statistics, offset, eps, columns);                                                             \
    }                                                                                                                              \
    EXPORT_KERNEL(name)

FORWARD(layer_norm_forward_f32, float)
FORWARD(layer_norm_forward_bf16, bf16)
FORWARD(layer_norm_forward_f32_unaligned, Loose<float>)
FORWARD(layer_norm_forward_bf16_unaligned, Loose<bf16>)

#define BACKWARD(name, G, T)                                                                                                              \
    extern "C" __global__ void __launch_bounds__(512) name(const G* dy, const T* x, const float* statistics, const T* w, const T* addend, \
        T* dx, float* partials, float offset, int32 rows, int32 columns, int32 group_rows)                                                \
    {                                                                                                                                     \
        backward(dy, x, statistics, w, addend, dx, partials, offset, rows, columns, group_rows);                                          \
    }                                                                                                                                     \
    EXPORT_KERNEL(name)

BACKWARD(layer_norm_backward_f32, float, float)
BACKWARD(layer_norm_backward_bf16, bf16, bf16)
BACKWARD(layer_norm_backward_bf16_f32, float, bf16)
BACKWARD(layer_norm_backward_f32_unaligned, Loose<float>, Loose<float>)
BACKWARD(layer_norm_backward_bf16_unaligned, Loose<bf16>, Loose<bf16>)
BACKWARD(layer_norm_backward_bf16_f32_unaligned, Loose<float>, Loose<bf16>)
