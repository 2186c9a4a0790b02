// Root-mean-square norm of rows: y = addend + x rstd w with rstd = 1 / sqrt(mean(x^2) + eps); w is the weight given plus `offset`.
//
// rms_norm_forward_<f32|bf16>: x, y [rows, columns], w [columns], rstd [rows] fp32. Overwrites y and rstd; y may be x or
// the addend, which may be null. fp32, y rounded once.
//   grid rows; block B = clamp(ceil(columns / Count / 4) rounded up to 32, 64, 512), Count elements in 16 bytes. (Twice as many threads
//   would have 64 registers each, which is just what sm_80 takes: a newer compiler spilled.)
//
// rms_norm_backward_<f32|bf16>: with n = x rstd,
//   dx = addend + rstd (dy w - n mean(dy w n)): overwritten, rounded once; addend may be null, and dx may be addend or dy itself;
//   partials[g, :] = sum over the rows of group g, ascending, of dy n: fp32, overwritten. dw is column_sum.cu over them.
//   group_rows = max(4, min(ceil(rows / 256), ceil(rows * columns / 2^20))), groups = ceil(rows / group_rows): functions of the
//   shape, so that the sum is.
//   grid groups; block B = clamp(ceil(columns / Count / 2) rounded up to 32, 64, 768); workspace groups * columns * 4 bytes.
//   rms_norm_backward_bf16_f32: all in bf16 but dy, which is fp32, so that dx may not be dy.
//
// Both: columns a multiple of Count, any length: what a block cannot hold in registers it reads again. The entry points ending in
// _unaligned take any columns: their Count is 1. No dynamic shared memory.
#include "norm_rows.cuh"

template <typename T>
DEVICE void forward(const T* x, const T* w, const T* addend, T* y, float* rstd, float offset, float eps, int32 columns)
{
    const int count = Pack<T>::Count;
    const int held = 4;
    __shared__ float scratch[32];
    const int packs = columns / count;
    const int first = threadIdx.x;
    const int step = blockDim.x;
    const T* from = x + (int64)blockIdx.x * columns;
    T* to = y + (int64)blockIdx.x * columns;
    const T* plus = addend == nullptr ? nullptr : addend + (int64)blockIdx.x * columns;

    uint4 row[held];
    uint4 weight[held];
#pragma unroll
    for (int i = 0; i < held; i++)
    {
        row[i] = make_uint4(0, 0, 0, 0);
        weight[i] = row[i];
        if (first + i * step < packs)
        {
            row[i] = load_raw(from + (first + i * step) * count);
            weight[i] = load_raw(w + (first + i * step) * count);
        }
    }

    float sum = 0;
#pragma unroll
    for (int i = 0; i < held; i++)
    {
        const Pack<T> pack = unpack<T>(row[i]);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            sum = fmaf(pack.v[c], pack.v[c], sum);
        }
    }

    for (int p = first + held * step; p < packs; p += step)
    {
        const Pack<T> pack = load_pack(from + p * count);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            sum = fmaf(pack.v[c], pack.v[c], sum);
        }
    }

    sum = block_sum(sum, scratch);
    const float scale = 1.0f / sqrtf(sum / (float)columns + eps);
    if (first == 0)
    {
        rstd[blockIdx.x] = scale;
    }

#pragma unroll
    for (int i = 0; i < held; i++)
    {
        if (first + i * step < packs)
        {
            Pack<T> pack = unpack<T>(row[i]);
            const Pack<T> by = unpack<T>(weight[i]);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                pack.v[c] = pack.v[c] * scale * (by.v[c] + offset);
            }

            add_pack(pack, plus, (first + i * step) * count);
            store_pack(to + (first + i * step) * count, pack);
        }
    }

    for (int p = first + held * step; p < packs; p += step)
    {
        Pack<T> pack = load_pack(from + p * count);
        const Pack<T> by = load_pack(w + p * count);
#pragma unroll
        for (int c = 0; c < count; c++)
        {
            pack.v[c] = pack.v[c] * scale * (by.v[c] + offset);
        }

        add_pack(pack, plus, p * count);
        store_pack(to + p * count, pack);
    }
}

template <typename T> DEVICE float add_dot(const Pack<T>& dy, const Pack<T>& x, const Pack<T>& w, float offset, float dot)
{
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        dot = fmaf(dy.v[c] * (w.v[c] + offset), x.v[c], dot);
    }

    return dot;
}

template <typename T>
DEVICE Pack<T> input_gradient(
    const Pack<T>& dy, const Pack<T>& x, const Pack<T>& w, const Pack<T>& addend, float offset, float scale, float pull)
{
    Pack<T> dx;
#pragma unroll
    for (int c = 0; c < Pack<T>::Count; c++)
    {
        dx.v[c] = fmaf(x.v[c], pull, dy.v[c] * (w.v[c] + offset) * scale) + addend.v[c];
    }

    return dx;
}

template <typename T, typename G>
DEVICE void backward(const G* dy, const T* x, const float* rstd, const T* w, const T* addend, T* dx, float* partials,
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
    float* partial = partials + (int64)blockIdx.x * columns;

    float dw[held][count] = {};

    for (int row = begin; row < end; row++)
    {
        // All loads of the row stand before the first use: they are under way together.
        const int64 start = (int64)row * columns;
        const float scale = rstd[row];
        uint4 raw_dy[held][parts];
        uint4 raw_x[held];
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            const int at = first + i * step;
            raw_x[i] = make_uint4(0, 0, 0, 0);
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
            }
        }

        float dot = 0;
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            // The weight is read twice, from the first-level cache: registers decide how many blocks a multiprocessor holds.
            if (first + i * step < columns)
            {
                dot = add_dot(unpack_as<T, G>(raw_dy[i]), unpack<T>(raw_x[i]), load_pack(w + first + i * step), offset, dot);
            }
        }

        for (int at = first + held * step; at < columns; at += step)
        {
            dot = add_dot(load_as<T>(dy + start + at), load_pack(x + start + at), load_pack(w + at), offset, dot);
        }

        // What is added is under way while the block sums, and takes no registers before.
        uint4 raw_addend[held];
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            raw_addend[i] = make_uint4(0, 0, 0, 0);
            if (addend != nullptr && first + i * step < columns)
            {
                raw_addend[i] = load_raw(addend + start + first + i * step);
            }
        }

        dot = block_sum(dot, scratch);
        const float pull = -(dot * scale * scale * scale / (float)columns);
#pragma unroll
        for (int i = 0; i < held; i++)
        {
            const Pack<T> gradient = unpack_as<T, G>(raw_dy[i]);
            const Pack<T> from = unpack<T>(raw_x[i]);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                dw[i][c] = fmaf(gradient.v[c], from.v[c] * scale, dw[i][c]);
            }

            if (first + i * step < columns)
            {
                store_pack(dx + start + first + i * step,
                    input_gradient(gradient, from, load_pack(w + first + i * step), unpack<T>(raw_addend[i]), offset, scale, pull));
            }
        }

        for (int at = first + held * step; at < columns; at += step)
        {
            const Pack<T> gradient = load_as<T>(dy + start + at);
            const Pack<T> from = load_pack(x + start + at);
            const Pack<T> plus = addend != nullptr ? load_pack(addend + start + at) : unpack<T>(make_uint4(0, 0, 0, 0));
            float sums[count] = {};
            if (row > begin)
            {
                load_elements(partial + at, sums);
            }

#pragma unroll
            for (int c = 0; c < count; c++)
            {
                sums[c] = fmaf(gradient.v[c], from.v[c] * scale, sums[c]);
            }

            store_elements(partial + at, sums);
            store_pack(dx + start + at, input_gradient(gradient, from, load_pack(w + at), plus, offset, scale, pull));
        }
    }

#pragma unroll
    for (int i = 0; i < held; i++)
    {
        if (first + i * step < columns)
        {
            store_elements(partial + first + i * step, dw[i]);
        }
    }
}

#define FORWARD(name, T)                                                                                         \
    extern "C" __global__ void __launch_bounds__(512)                                                            \
        name(const T* x, const T* w, const T* addend, T* y, float* rstd, float offset, float eps, int32 columns) \
    {                                                                                                            \
        forward(x, w, addend, y, rstd, offset, eps, columns);                                                    \
    }                                                                                                            \
    EXPORT_KERNEL(name)

FORWARD(rms_norm_forward_f32, float)
FORWARD(rms_norm_forward_bf16, bf16)
FORWARD(rms_norm_forward_f32_unaligned, Loose<float>)
FORWARD(rms_norm_forward_bf16_unaligned, Loose<bf16>)

#define BACKWARD(name, bounds, G, T)                                                                        \
    extern "C" __global__ void bounds name(const G* dy, const T* x, const float* rstd, const T* w,          \
        const T* addend, T* dx, float* partials, float offset, int32 rows, int32 columns, int32 group_rows) \
    {                                                                                                       \
        backward(dy, x, rstd, w, addend, dx, partials, offset, rows, columns, group_rows);                  \
    }                                                                                                       \
    EXPORT_KERNEL(name)

// Without the second number the compiler makes room for two blocks of the last ones on a multiprocessor, and spills.
#define MANY __launch_bounds__(768)
#define FEW __launch_bounds__(768, 1)

BACKWARD(rms_norm_backward_f32, MANY, float, float)
BACKWARD(rms_norm_backward_bf16, MANY, bf16, bf16)
BACKWARD(rms_norm_backward_bf16_f32, MANY, float, bf16)
BACKWARD(rms_norm_backward_f32_unaligned, FEW, Loose<float>, Loose<float>)
BACKWARD(rms_norm_backward_bf16_unaligned, FEW, Loose<bf16>, Loose<bf16>)
BACKWARD(rms_norm_backward_bf16_f32_unaligned, FEW, Loose<float>, Loose<bf16>)
