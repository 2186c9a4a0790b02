// The way back of linear_recurrence.cu, block after block from the last on; the states before all blocks first, in the forward's way.
//
// linear_recurrence_backward_<f32|bf16>: of grad_y [rows, heads value_dim]: that of v into grad_channels [as channels]; that of the state
//   before the chunk into grad_before, which may be null; sums of each token [heads, runs, rows, 2 key_dim + 3]: gradients of q and k
//   as they meet, of beta, of g and of skip. grad_after: of the state after the chunk, null for 0. Overwritten. Others: the forward's.
// With f = dz, h_is = f_i e_s, j_is = dy_i e_s, and dS after the block:
//   de_s = sum over i >= s of D_is (q_i k_s) dy_i + D_last,s (dS^T k_s); f_i = beta_i (de_i - sum over s > i of D_si (k_s k_i) f_s) = dv_i.
// Arithmetic as in the forward, sums of the gradients of g fp64.
//   grid (heads, runs); block 256; no dynamic shared memory.
#include "linear_recurrence_blocks.cuh"

template <typename T> struct Gradients
{
    const T* grad_y;
    float* grad_channels;
    float* sums; // of this head and run: [rows, 2 key_dim + 2]
};

template <typename T> DEVICE float grad_y_at(const Work<T>& my, const Gradients<T>& to, int32 i, int32 j)
{
    return i < my.tokens && j < my.count
        ? to_float(to.grad_y[((int64)(my.begin + i) * my.of.heads + my.head) * my.of.value_dim + my.from + j])
        : 0.0f;
}

template <typename T> DEVICE float* sums_at(const Work<T>& my, const Gradients<T>& to, int32 i)
{
    return to.sums + (int64)(my.begin + i) * token_sums(my.of);
}

// grad_e, f = dz, v's gradient and beta's.
template <typename T> DEVICE void solve_back(const Work<T>& my, const Gradients<T>& to)
{
    Shared<T>& shared = my.shared;
    Tile tile;
    clear(tile);
    multiply<Along::Depth, Along::Across>(tile, my.of.key_dim, shared.slabs, [&](int32 r, int32 a) { return key_at(my, r, a); },
        [&](int32 a, int32 j) { return state_at(my, my.grad_state, a, j); });
#pragma unroll
    for (int32 i = 0; i < 16; i++)
    {
        const int32 r = Tiles<T>::row(i);
        tile.v[i / 4][i % 4] *= r < my.tokens ? shared.to_last[r] : 0.0f;
    }

    multiply<Along::Across, Along::Across>(tile, my.tokens, shared.slabs, [&](int32 r, int32 i) { return pair_at(my, my.products, i, r); },
        [&](int32 i, int32 j) { return grad_y_at(my, to, i, j); });
    for_tile<T>(tile, [&](int32 r, int32 j, float value) { shared.solved[r][j] = value; });
    block_barrier();
    const float skip = my.in.skip == nullptr ? 0.0f : to_float(my.in.skip[my.head]);
    const int32 j = threadIdx.x, step = Tiles<T>::Solved;
    for (int32 from = (my.tokens - 1) / step * step; from >= 0; from -= step)
    {
        const int32 end = from + step < my.tokens ? from + step : my.tokens;
        for (int32 i = end - 1; j < my.count && i >= from; i--)
        {
            float r = shared.solved[i][j];
            for (int32 s = i + 1; s < end && my.of.corrects != 0; s++)
            {
                r = fmaf(my.correction[s * Rows + i], shared.solved[s][j], r);
            }

            const float f = shared.beta[i] * r;
            shared.solved[i][j] = f;
            my.grad_e[i * my.of.columns + j] = r;
            my.f[i * my.of.columns + j] = f;
            to.grad_channels[(my.begin + i) * channels_of(my.of) + 2 * my.of.key_heads * my.of.key_dim
                + my.head * my.of.value_dim + my.from + j] = fmaf(skip, grad_y_at(my, to, i, j), f);
        }

        block_barrier();
        if (from > 0 && my.of.corrects != 0)
        {
            clear(tile);
            multiply<Along::Across, Along::Across>(tile, end - from, shared.slabs,
                [&](int32 r, int32 k) { return r < from ? pair_at(my, my.correction, from + k, r) : 0.0f; },
                [&](int32 k, int32 c) { return shared.solved[from + k][c]; });
            for_tile<T>(tile, [&](int32 r, int32 c, float added) { shared.solved[r][c] += r < from ? added : 0.0f; });
            block_barrier();
        }
    }

    for (int32 i = threadIdx.x / 32; i < my.tokens; i += Threads / 32)
    {
        float of_beta = 0, of_skip = 0;
        for (int32 c = threadIdx.x % 32; c < my.count; c += 32)
        {
            of_beta = fmaf(my.grad_e[i * my.of.columns + c], my.z[i * my.of.columns + c], of_beta);
            of_skip = my.in.skip == nullptr ? 0.0f : fmaf(grad_y_at(my, to, i, c), value_at(my, i, c), of_skip);
        }

        of_beta = warp_sum(of_beta);
        of_skip = warp_sum(of_skip);
        if (threadIdx.x % 32 == 0)
        {
            sums_at(my, to, i)[2 * my.of.key_dim] = of_beta;
            sums_at(my, to, i)[2 * my.of.key_dim + 2] = of_skip;
        }
    }
}

// Gradients of the products of keys with keys and with queries, and of the decays between tokens. Ends with a barrier.
template <typename T> DEVICE void meet_back(const Work<T>& my, const Gradients<T>& to)
{
    Shared<T>& shared = my.shared;
    const auto written = [&](int32 j, int32 s) { return column_at(my, my.e, s, j); };
    Tile tile;
    clear(tile);
    multiply<Along::Depth, Along::Depth>(
        tile, my.count, shared.slabs, [&](int32 r, int32 j) { return column_at(my, my.f, r, j); }, written);
    for_tile<T>(tile, [&](int32 r, int32 s, float h) {
        const int32 at = r * Rows + s;
        my.of_keys[at] = s < r && my.of.corrects != 0 ? -h * my.decays[at] : 0.0f;
        my.moved[at] = s < r ? h * my.correction[at] : 0.0f;
    });
    clear(tile);
    multiply<Along::Depth, Along::Depth>(
        tile, my.count, shared.slabs, [&](int32 r, int32 j) { return grad_y_at(my, to, r, j); }, written);
    for_tile<T>(tile, [&](int32 r, int32 s, float j) {
        const int32 at = r * Rows + s;
        my.of_queries[at] = j * my.decays[at];
        my.moved[at] = s < r ? fmaf(j, my.products[at], my.moved[at]) : 0.0f;
    });
    block_barrier();
    const int32 i = threadIdx.x;
    if (i < my.tokens)
    {
        double sum = 0;
        for (int32 s = 0; s < i; s++)
        {
            sum += my.moved[i * Rows + s];
        }

        for (int32 s = i + 1; s < my.tokens; s++)
        {
            sum -= my.moved[s * Rows + i];
        }

        shared.gradients[i] = sum;
    }

    block_barrier();
}

// Those of queries and keys, and what they say of decay. Ends with a barrier.
template <typename T> DEVICE void key_gradients(const Work<T>& my, const Gradients<T>& to)
{
    Shared<T>& shared = my.shared;
    float of_state[Tiles<T>::RowsOfThread] = {}, of_last[Tiles<T>::RowsOfThread] = {};
    for (int32 first = 0; first < my.of.key_dim; first += Rows)
    {
        const auto state = [&](int32 j, int32 a) { return state_at(my, my.state, first + a, j); };
        const auto keys = [&](int32 s, int32 a) { return key_at(my, s, first + a); };
        Tile tile;
        clear(tile);
        multiply<Along::Depth, Along::Depth>(
            tile, my.count, shared.slabs, [&](int32 r, int32 j) { return grad_y_at(my, to, r, j); }, state);
#pragma unroll
        for (int32 i = 0; i < 16; i++)
        {
            const int32 r = Tiles<T>::row(i);
            float &v = tile.v[i / 4][i % 4], &sum = of_state[Tiles<T>::row_of_thread(i)];
            v *= r < my.tokens ? shared.from_state[r] : 0.0f;
            sum = fmaf(query_at(my, r, first + Tiles<T>::column(i)), v, sum);
        }

        multiply<Along::Depth, Along::Across>(
            tile, my.tokens, shared.slabs, [&](int32 r, int32 s) { return pair_at(my, my.of_queries, r, s); }, keys);
        for_tile<T>(tile, [&](int32 r, int32 a, float value) {
            if (r < my.tokens && first + a < my.of.key_dim)
            {
                sums_at(my, to, r)[first + a] = value;
            }
        });

        clear(tile);
        multiply<Along::Depth, Along::Depth>(tile, my.of.corrects != 0 ? my.count : 0, shared.slabs,
            [&](int32 r, int32 j) { return column_at(my, my.f, r, j); }, state);
#pragma unroll
        for (int32 i = 0; i < 16; i++)
        {
            const int32 r = Tiles<T>::row(i);
            float &v = tile.v[i / 4][i % 4], &sum = of_state[Tiles<T>::row_of_thread(i)];
            v *= r < my.tokens ? -shared.from_state[r] : 0.0f;
            sum = fmaf(key_at(my, r, first + Tiles<T>::column(i)), v, sum);
        }

        multiply<Along::Depth, Along::Across>(
            tile, my.tokens, shared.slabs, [&](int32 r, int32 s) { return pair_at(my, my.of_keys, r, s); }, keys);
        multiply<Along::Across, Along::Across>(
            tile, my.tokens, shared.slabs, [&](int32 r, int32 s) { return pair_at(my, my.of_keys, s, r); }, keys);
        multiply<Along::Across, Along::Across>(
            tile, my.tokens, shared.slabs, [&](int32 r, int32 s) { return pair_at(my, my.of_queries, s, r); },
            [&](int32 s, int32 a) { return query_at(my, s, first + a); });
        for_tile<T>(tile, [&](int32 r, int32 a, float value) {
            if (r < my.tokens && first + a < my.of.key_dim)
            {
                sums_at(my, to, r)[my.of.key_dim + first + a] = value;
            }
        });

        clear(tile);
        multiply<Along::Depth, Along::Depth>(tile, my.count, shared.slabs, [&](int32 r, int32 j) { return column_at(my, my.e, r, j); },
            [&](int32 j, int32 a) { return state_at(my, my.grad_state, first + a, j); });
#pragma unroll
        for (int32 i = 0; i < 16; i++)
        {
            const int32 r = Tiles<T>::row(i), a = first + Tiles<T>::column(i);
            const float v = tile.v[i / 4][i % 4] * (r < my.tokens ? shared.to_last[r] : 0.0f);
            float& sum = of_last[Tiles<T>::row_of_thread(i)];
            sum = fmaf(key_at(my, r, a), v, sum);
            if (r < my.tokens && a < my.of.key_dim)
            {
                sums_at(my, to, r)[my.of.key_dim + a] += v;
            }
        }
    }

    block_barrier();
#pragma unroll
    for (int32 i = 0; i < Tiles<T>::RowsOfThread; i++)
    {
        const float from = row_sum<T>(of_state[i]), last = row_sum<T>(of_last[i]);
        if (Tiles<T>::sums_part())
        {
            const int32 r = Tiles<T>::row(Tiles<T>::RowStep * i);
            shared.solved[2 * Tiles<T>::part()][r] = from;
            shared.solved[2 * Tiles<T>::part() + 1][r] = last;
        }
    }

    block_barrier();
    if (threadIdx.x == 0)
    {
        double all = 0;
        for (int32 i = 0; i < my.tokens; i++)
        {
            for (int32 part = 0; part < Tiles<T>::Parts; part++)
            {
                shared.gradients[i] += (double)shared.solved[2 * part][i] - shared.solved[2 * part + 1][i];
                all += shared.solved[2 * part + 1][i];
            }
        }

        shared.gradients[my.tokens - 1] += all;
    }

    block_barrier();
}

// That of the state before the block in place of that after it. Ends with a barrier.
template <typename T> DEVICE void state_gradient(const Work<T>& my, const Gradients<T>& to)
{
    Shared<T>& shared = my.shared;
    const float last = shared.from_state[my.tokens - 1];
    double product = 0;
    for (int32 first = 0; first < my.of.key_dim; first += Rows)
    {
        Tile tile;
        clear(tile);
        multiply<Along::Across, Along::Across>(tile, my.tokens, shared.slabs,
            [&](int32 r, int32 i) { return query_at(my, i, first + r) * shared.from_state[i]; },
            [&](int32 i, int32 j) { return grad_y_at(my, to, i, j); });
        multiply<Along::Across, Along::Across>(tile, my.of.corrects != 0 ? my.tokens : 0, shared.slabs,
            [&](int32 r, int32 i) { return -key_at(my, i, first + r) * shared.from_state[i]; },
            [&](int32 i, int32 j) { return column_at(my, my.f, i, j); });
        for_tile<T>(tile, [&](int32 r, int32 j, float added) {
            if (first + r < my.of.key_dim && j < my.count)
            {
                float* at = my.grad_state + (first + r) * my.of.columns + j;
                product += (double)*at * my.state[(first + r) * my.of.columns + j];
                *at = fmaf(last, *at, added);
            }
        });
    }

    product = block_sum(product, shared.scratch);
    if (threadIdx.x == 0)
    {
        shared.gradients[my.tokens - 1] += (double)last * product;

        // Of g: all sums from its token on have it; the first of a document has no effect.
        double sum = 0;
        for (int32 i = my.tokens - 1; i >= 0; i--)
        {
            sum += shared.gradients[i];
            sums_at(my, to, i)[2 * my.of.key_dim + 1] = shared.first[i] == i ? 0.0f : (float)sum;
        }
    }

    block_barrier();
}

template <typename T>
DEVICE void backward(Work<T>& my, const Gradients<T>& to, float* states, const float* before, const float* grad_after, float* grad_before)
{
    const int32 blocks = blocks_of(my.of);
    const int64 size = (int64)my.of.key_dim * my.of.value_dim;
    float* const own = states + my.head * blocks * size;
    load_state(my, state_of(before, my.of, my.head), my.state);
    for (int32 block = 0; block < blocks; block++)
    {
        store_state(my, my.state, own + block * size);
        if (block + 1 < blocks)
        {
            load_block(my, block);
            solve(my);
            advance(my);
        }
    }

    load_state(my, state_of(grad_after, my.of, my.head), my.grad_state);
    for (int32 block = blocks - 1; block >= 0; block--)
    {
        load_state(my, own + block * size, my.state);
        load_block(my, block);
        solve(my);
        solve_back(my, to);
        meet_back(my, to);
        key_gradients(my, to);
        state_gradient(my, to);
    }

    store_state(my, my.grad_state, state_of(grad_before, my.of, my.head));
}

#define BACKWARD(name, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256, 1) name(const float* channels, const T* gates, const T* decay,           \
        const T* step_bias, const T* skip, const int32* first, const float* before, const T* grad_y, const float* grad_after,   \
        float* grad_before, float* grad_channels, float* workspace, float* sums, int32 gate_stride, int32 key_heads,            \
        int32 heads, int32 key_dim, int32 value_dim, int32 columns, int32 row, int32 rows, int32 corrects, float least,         \
        float most)                                                                                                             \
    {                                                                                                                           \
        __shared__ Shared<T> shared;                                                                                                  \
        const Heads of{key_heads, heads, key_dim, value_dim, columns, row, rows, corrects, least, most};                        \
        Work<T> my = work_of(Inputs<T>{channels, gates, decay, step_bias, skip, first, gate_stride}, of, shared, workspace,     \
            blockIdx.x, blockIdx.y);                                                                                            \
        const int64 run = (int64)blockIdx.x * gridDim.y + blockIdx.y;                                                           \
        const Gradients<T> to{grad_y, grad_channels, sums + run * rows * token_sums(of)};                                       \
        backward(my, to, workspace, before, grad_after, grad_before);                                                           \
    }                                                                                                                           \
    EXPORT_KERNEL(name)

BACKWARD(linear_recurrence_backward_f32, float)
BACKWARD(linear_recurrence_backward_bf16, bf16)
