// The recurrence of each head, token by token within documents: the gated delta rule
//   S = exp(g) S, e = beta (v - S^T k), S = S + k e^T, y = S^T q,
// beta = corrects sigma(b), g = -exp(decay) softplus(a + bias), k and q of length 1 (x rsqrt(sum x^2 + 1e-6)), q then / sqrt(key_dim);
// or, where corrects is 0, a state space: q and k as they are, beta = softplus(a + bias) within least and most, g = -exp(decay) beta,
// e = beta v, y = S^T q + skip v, gates [rows, heads]: a; by blocks of 64 tokens from the chunk's first on (linear_recurrence_blocks.cuh).
//
// channels [rows, 2 key_heads key_dim + heads value_dim] fp32: q, k, v; head h has q and k of key head h / (heads / key_heads). gates
// [rows, 2 heads]: b, a, rows gate_stride elements apart. decay, step_bias [heads]. first [rows] int32 window rows, of which the chunk's
// first token is `row`. States [heads, key_dim, value_dim] fp32, of before null stands for 0.
//
// linear_recurrence_forward_<f32|bf16>: y [rows, heads value_dim] fp32 and the state after the chunk, either null; overwritten.
// linear_recurrence_backward_<f32|bf16>, in linear_recurrence_backward.cu: v's gradient and sums of each token, from grad_y.
// linear_recurrence_gradients_<f32|bf16>: from those sums, over the runs of a head and the heads of a key head, ascending: q and k of
//   grad_channels [as channels], grad_gates, and of each token and head what it adds to the gradients of decay, step_bias and skip, which
//   are column_sum.cu over them [3][rows, heads].
// workspace: states [heads, blocks, key_dim, value_dim]; of each head and run of its `columns` value columns what a block of threads keeps;
//   sums of tokens [heads, runs, rows, 2 key_dim + 3]: gradients of q and k as they meet, of beta, of g and of skip; the last
//   [3][rows, heads].
// fp32 arithmetic, with bf16 the products on tensor cores (linear_recurrence_tiles.cuh), gates and sums of g fp64, each output rounded
// once. key_dim and value_dim at most 256, columns at most 64.
//   forward: grid (heads, runs); block 256. gradients: grid ceil(rows key_heads / 4); block 128. No dynamic shared memory.
#include "linear_recurrence_blocks.cuh"

template <typename T> DEVICE void forward(Work<T>& my, const float* before, float* after, float* y)
{
    load_state(my, state_of(before, my.of, my.head), my.state);
    for (int32 block = 0; block < blocks_of(my.of); block++)
    {
        load_block(my, block);
        solve(my);
        if (y != nullptr)
        {
            Tile tile;
            clear(tile);
            multiply<Along::Depth, Along::Across>(tile, my.of.key_dim, my.shared.slabs,
                [&](int32 r, int32 a) { return query_at(my, r, a); },
                [&](int32 a, int32 j) { return state_at(my, my.state, a, j); });
#pragma unroll
            for (int32 i = 0; i < 16; i++)
            {
                const int32 r = Tiles<T>::row(i);
                tile.v[i / 4][i % 4] *= r < my.tokens ? my.shared.from_state[r] : 0.0f;
            }

            multiply<Along::Depth, Along::Across>(tile, my.tokens, my.shared.slabs,
                [&](int32 r, int32 s) { return pair_at(my, my.products, r, s); },
                [&](int32 s, int32 j) { return column_at(my, my.e, s, j); });
            for_tile<T>(tile, [&](int32 r, int32 j, float value) {
                if (r < my.tokens && j < my.count)
                {
                    const float more = my.in.skip == nullptr ? 0.0f : to_float(my.in.skip[my.head]) * value_at(my, r, j);
                    y[((int64)(my.begin + r) * my.of.heads + my.head) * my.of.value_dim + my.from + j] = value + more;
                }
            });
        }

        advance(my);
    }

    store_state(my, my.state, state_of(after, my.of, my.head));
}

#define FORWARD(name, T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(256, 2) name(const float* channels, const T* gates, const T* decay,           \
        const T* step_bias, const T* skip, const int32* first, const float* before, float* after, float* y, float* workspace,   \
        int32 gate_stride, int32 key_heads, int32 heads, int32 key_dim, int32 value_dim, int32 columns, int32 row, int32 rows,  \
        int32 corrects, float least, float most)                                                                                \
    {                                                                                                                           \
        __shared__ Shared<T> shared;                                                                                                  \
        const Heads of{key_heads, heads, key_dim, value_dim, columns, row, rows, corrects, least, most};                        \
        Work<T> my = work_of(Inputs<T>{channels, gates, decay, step_bias, skip, first, gate_stride}, of, shared, workspace,     \
            blockIdx.x, blockIdx.y);                                                                                            \
        forward(my, before, after, y);                                                                                          \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

FORWARD(linear_recurrence_forward_f32, float)
FORWARD(linear_recurrence_forward_bf16, bf16)

// Of x, where n = x root scale, from the sums of n's gradient over all parts: root scale (dn - n (n dn) / scale^2).
// Of x as it is, where scale is 0.
DEVICE void through_length(const float* x, const float* sums, int64 part, int32 parts, int32 width, float scale, float* to)
{
    const float root = root_of(x, width);
    const int32 lane = threadIdx.x % 32;
    float gradient[8];
    float dot = 0;
#pragma unroll
    for (int32 c = 0; c < 8; c++)
    {
        const int32 j = lane + 32 * c;
        gradient[c] = 0;
        for (int32 p = 0; j < width && p < parts; p++)
        {
            gradient[c] += sums[p * part + j];
        }

        dot = j < width ? fmaf(x[j] * root, gradient[c], dot) : dot;
    }

    dot = warp_sum(dot);
#pragma unroll
    for (int32 c = 0; c < 8; c++)
    {
        const int32 j = lane + 32 * c;
        if (j < width)
        {
            to[j] = scale == 0.0f ? gradient[c] : root * scale * fmaf(-x[j] * root, dot, gradient[c]);
        }
    }
}

template <typename T>
DEVICE void gradients(const Inputs<T>& in, const Heads& of, const float* sums, float* grad_channels, T* grad_gates, float* vectors,
    int32 grad_gate_stride)
{
    const int64 at = (int64)blockIdx.x * 4 + threadIdx.x / 32;
    const int64 token = at / of.key_heads;
    if (token >= of.rows)
    {
        return;
    }

    const int32 key_head = (int32)(at % of.key_heads), group = of.heads / of.key_heads;
    const int32 runs = (of.value_dim + of.columns - 1) / of.columns;
    const int64 part = (int64)of.rows * token_sums(of);
    const int64 row = token * channels_of(of) + key_head * of.key_dim, keys = (int64)of.key_heads * of.key_dim;
    const float* own = sums + (int64)key_head * group * runs * part + token * token_sums(of);
    const float scale = of.corrects != 0 ? 1.0f / sqrtf((float)of.key_dim) : 0.0f;
    through_length(in.channels + row, own, part, group * runs, of.key_dim, scale, grad_channels + row);
    through_length(
        in.channels + row + keys, own + of.key_dim, part, group * runs, of.key_dim, of.corrects != 0 ? 1.0f : 0.0f,
        grad_channels + row + keys);
    for (int32 h = threadIdx.x % 32; h < group; h += 32)
    {
        const int32 head = key_head * group + h;
        const float* from = own + h * runs * part + 2 * of.key_dim;
        float of_beta = 0, of_g = 0, of_skip = 0;
        for (int32 r = 0; r < runs; r++)
        {
            of_beta += from[r * part];
            of_g += from[r * part + 1];
            of_skip += from[r * part + 2];
        }

        const T* gates = in.gates + token * in.gate_stride;
        const float x = to_float(gates[gates_of(of) - of.heads + head]) + to_float(in.step_bias[head]);
        const double rate = exp((double)to_float(in.decay[head])), step = step_of(of, x);
        T* to = grad_gates + token * grad_gate_stride;
        double of_step = -of_g * rate;
        if (of.corrects != 0)
        {
            const double open = sigmoid(to_float(gates[head]));
            to[head] = from_float<T>((float)(of.corrects * (of_beta * open * (1.0 - open))));
        }
        else
        {
            // A step at its bound does not move.
            of_step = step == soft_plus(x) ? of_step + of_beta : 0.0;
        }

        const float of_x = (float)(of_step * sigmoid(x));
        to[gates_of(of) - of.heads + head] = from_float<T>(of_x);
        vectors[token * of.heads + head] = (float)(-of_g * rate * step);
        vectors[((int64)of.rows + token) * of.heads + head] = of_x;
        vectors[(2 * (int64)of.rows + token) * of.heads + head] = of_skip;
    }
}

#define GRADIENTS(name, T)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(128) name(const float* channels, const T* gates, const T* decay,              \
        const T* step_bias, const float* sums, float* grad_channels, T* grad_gates, float* vectors, int32 gate_stride,          \
        int32 grad_gate_stride, int32 key_heads, int32 heads, int32 key_dim, int32 value_dim, int32 columns, int32 rows,        \
        int32 corrects, float least, float most)                                                                                \
    {                                                                                                                           \
        gradients(Inputs<T>{channels, gates, decay, step_bias, nullptr, nullptr, gate_stride},                                  \
            Heads{key_heads, heads, key_dim, value_dim, columns, 0, rows, corrects, least, most}, sums, grad_channels,          \
            grad_gates, vectors, grad_gate_stride);                                                                             \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

GRADIENTS(linear_recurrence_gradients_f32, float)
GRADIENTS(linear_recurrence_gradients_bf16, bf16)
