// What forward and backward of linear_recurrence.cu share: a block of tokens of one head and of one run of its value columns.
//
// Token i of a block, G_i the sum of the logarithms of decay up to it, D_is = exp(G_i - G_s) where s <= i are of one document, else 0,
// d_i = exp(G_i) where i's document began before the block, else 0. With S before the block:
//   z_i = v_i - d_i S^T k_i - sum over s < i of D_is (k_i k_s) e_s, e_i = beta_i z_i, a triangular system of the block;
//   y_i = d_i S^T q_i + sum over s <= i of D_is (q_i k_s) e_s;
//   S = d_last S + sum over s of D_last,s k_s e_s^T.
// Where nothing is corrected (a state space) z = v, q and k are as they are, beta is the step within its bounds, and skip v joins y.
// Columns of values are independent of each other but for queries, keys and gates, of which each run has its part of the gradients.
#pragma once

#include "linear_recurrence_tiles.cuh"

struct Heads
{
    int32 key_heads;
    int32 heads;
    int32 key_dim;
    int32 value_dim;
    int32 columns; // of a run, of the last one at most
    int32 row;
    int32 rows;
    int32 corrects; // what a sigmoid says how much to correct by is multiplied by this; 0 in a state space
    float least;    // step of a state space
    float most;
};

DEVICE int32 blocks_of(const Heads& of) { return (of.rows + Rows - 1) / Rows; }

DEVICE int64 channels_of(const Heads& of) { return 2 * (int64)of.key_heads * of.key_dim + (int64)of.heads * of.value_dim; }

// Numbers that a block of threads keeps in the workspace; KernelWorkspace.RecurrenceBlock.
DEVICE int64 kept_numbers(const Heads& of)
{
    return (int64)Rows * (2 * of.key_dim + 4 * of.columns + 6 * Rows) + 2 * (int64)of.key_dim * of.columns;
}

// Numbers that it leaves of each token; KernelWorkspace.RecurrenceSums.
DEVICE int32 token_sums(const Heads& of) { return 2 * of.key_dim + 3; }

DEVICE int32 gates_of(const Heads& of) { return of.corrects != 0 ? 2 * of.heads : of.heads; }

// What lies in shared memory.
template <typename T> struct Shared
{
    typename Tiles<T>::Slabs slabs;
    float solved[Rows][Rows];
    double sums[Rows];      // G
    double gradients[Rows]; // of G
    double scratch[Threads / 32];
    float beta[Rows];
    float from_state[Rows]; // d
    float to_last[Rows];    // D_last,s
    int32 first[Rows];      // of a token's document, counted from the block's first
};

// 1 / sqrt(sum x^2 + 1e-6), in every lane.
DEVICE float root_of(const float* x, int32 width)
{
    float squares = 0;
    for (int32 j = threadIdx.x % 32; j < width; j += 32)
    {
        squares = fmaf(x[j], x[j], squares);
    }

    return 1.0f / sqrtf(warp_sum(squares) + 1e-6f);
}

DEVICE double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

// ln(1 + exp(x)).
DEVICE double soft_plus(double x) { return (x > 0.0 ? x : 0.0) + log1p(exp(x > 0.0 ? -x : x)); }

// A step's length: within its bounds in a state space.
DEVICE double step_of(const Heads& of, double x)
{
    const double step = soft_plus(x);
    return of.corrects != 0 ? step : step < of.least ? (double)of.least : step > of.most ? (double)of.most : step;
}

template <typename T> struct Inputs
{
    const float* channels;
    const T* gates;
    const T* decay;
    const T* step_bias;
    const T* skip; // null where values are not added
    const int32* first;
    int32 gate_stride;
};

// One block of threads: a head, and the columns of its values from `from` on.
template <typename T> struct Work
{
    Inputs<T> in;
    Heads of;
    Shared<T>& shared;
    int32 head;
    int32 key_head;
    int32 from;
    int32 count;
    float* query;   // [Rows, key_dim]
    float* key;     // [Rows, key_dim]
    float* z;       // [Rows, columns]
    float* e;
    float* f;
    float* grad_e;
    float* correction; // [Rows, Rows] -D_is (k_i k_s), s < i
    float* products;   // [Rows, Rows] D_is (q_i k_s)
    float* decays;     // [Rows, Rows] D_is
    float* of_keys;
    float* of_queries;
    float* moved;
    float* state;      // [key_dim, columns]
    float* grad_state;
    int32 begin;    // the block's first token
    int32 tokens;
};

template <typename T> DEVICE float value_at(const Work<T>& my, int32 i, int32 j)
{
    const int64 column = 2 * my.of.key_heads * my.of.key_dim + my.head * my.of.value_dim + my.from + j;
    return j < my.count && i < my.tokens ? my.in.channels[(my.begin + i) * channels_of(my.of) + column] : 0.0f;
}

template <typename T> DEVICE float query_at(const Work<T>& my, int32 i, int32 a)
{
    return i < my.tokens && a < my.of.key_dim ? my.query[i * my.of.key_dim + a] : 0.0f;
}

template <typename T> DEVICE float key_at(const Work<T>& my, int32 i, int32 a)
{
    return i < my.tokens && a < my.of.key_dim ? my.key[i * my.of.key_dim + a] : 0.0f;
}

// Of a matrix [Rows, columns].
template <typename T> DEVICE float column_at(const Work<T>& my, const float* m, int32 i, int32 j)
{
    return i < my.tokens && j < my.count ? m[i * my.of.columns + j] : 0.0f;
}

// Of a matrix [Rows, Rows].
template <typename T> DEVICE float pair_at(const Work<T>& my, const float* m, int32 i, int32 s)
{
    return i < my.tokens && s < my.tokens ? m[i * Rows + s] : 0.0f;
}

// Of a state.
template <typename T> DEVICE float state_at(const Work<T>& my, const float* m, int32 a, int32 j)
{
    return a < my.of.key_dim && j < my.count ? m[a * my.of.columns + j] : 0.0f;
}

template <typename T>
DEVICE Work<T> work_of(const Inputs<T>& in, const Heads& of, Shared<T>& shared, float* workspace, int32 head, int32 run)
{
    const int32 runs = (of.value_dim + of.columns - 1) / of.columns;
    float* next = workspace + (int64)of.heads * blocks_of(of) * of.key_dim * of.value_dim + ((int64)head * runs + run) * kept_numbers(of);
    const auto take = [&](int64 numbers) {
        float* taken = next;
        next += numbers;
        return taken;
    };
    const int32 from = run * of.columns;
    const int32 rest = of.value_dim - from;
    const int64 keys = (int64)Rows * of.key_dim, values = (int64)Rows * of.columns, pairs = Rows * Rows;
    const int64 states = (int64)of.key_dim * of.columns;
    float* const query = take(keys);
    float* const key = take(keys);
    float* const z = take(values);
    float* const e = take(values);
    float* const f = take(values);
    float* const grad_e = take(values);
    float* const correction = take(pairs);
    float* const products = take(pairs);
    float* const decays = take(pairs);
    float* const of_keys = take(pairs);
    float* const of_queries = take(pairs);
    float* const moved = take(pairs);
    float* const state = take(states);
    float* const grad_state = take(states);
    return Work<T>{in, of, shared, head, head / (of.heads / of.key_heads), from, rest < of.columns ? rest : of.columns, query, key, z, e,
        f, grad_e, correction, products, decays, of_keys, of_queries, moved, state, grad_state, 0, 0};
}

// Queries and keys of length 1, gates, decays and what follows from them. Ends with a barrier.
template <typename T> DEVICE void load_block(Work<T>& my, int32 block)
{
    Shared<T>& shared = my.shared;
    const Heads& of = my.of;
    my.begin = block * Rows;
    my.tokens = of.rows - my.begin < Rows ? of.rows - my.begin : Rows;
    block_barrier();
    const int32 lane = threadIdx.x % 32;
    const float scale = 1.0f / sqrtf((float)of.key_dim);
    for (int32 i = threadIdx.x / 32; i < 2 * my.tokens; i += Threads / 32)
    {
        const bool is_key = i >= my.tokens;
        const int32 token = is_key ? i - my.tokens : i;
        const float* x = my.in.channels + (my.begin + token) * channels_of(of)
            + ((is_key ? of.key_heads : 0) + my.key_head) * of.key_dim;
        const float by = of.corrects == 0 ? 1.0f : root_of(x, of.key_dim) * (is_key ? 1.0f : scale);
        float* to = (is_key ? my.key : my.query) + token * of.key_dim;
        for (int32 j = lane; j < of.key_dim; j += 32)
        {
            to[j] = x[j] * by;
        }
    }

    const int32 i = threadIdx.x;
    if (i < my.tokens)
    {
        const int64 token = my.begin + i;
        const T* gates = my.in.gates + token * my.in.gate_stride;
        const double step = step_of(of, to_float(gates[gates_of(of) - of.heads + my.head]) + to_float(my.in.step_bias[my.head]));
        shared.beta[i] = (float)(of.corrects != 0 ? of.corrects * sigmoid(to_float(gates[my.head])) : step);
        shared.sums[i] = -exp((double)to_float(my.in.decay[my.head])) * step;
        shared.first[i] = my.in.first[token] - of.row - my.begin;
    }

    block_barrier();
    if (threadIdx.x == 0)
    {
        for (int32 s = 1; s < my.tokens; s++)
        {
            shared.sums[s] += shared.sums[s - 1];
        }
    }

    block_barrier();
    if (i < my.tokens)
    {
        const int32 last = my.tokens - 1;
        shared.from_state[i] = shared.first[i] < 0 ? expf((float)shared.sums[i]) : 0.0f;
        shared.to_last[i] = i >= shared.first[last] ? expf((float)(shared.sums[last] - shared.sums[i])) : 0.0f;
    }

    const auto keys = [&](int32 a, int32 s) { return key_at(my, s, a); };
    Tile tile;
    clear(tile);
    multiply<Along::Depth, Along::Depth>(tile, of.key_dim, shared.slabs, [&](int32 r, int32 a) { return key_at(my, r, a); }, keys);
    for_tile<T>(tile, [&](int32 r, int32 s, float product) {
        const bool seen = r < my.tokens && s <= r && s >= shared.first[r];
        const float decay = seen ? expf((float)(shared.sums[r] - shared.sums[s])) : 0.0f;
        my.decays[r * Rows + s] = decay;
        my.correction[r * Rows + s] = s < r && of.corrects != 0 ? -decay * product : 0.0f;
    });
    clear(tile);
    multiply<Along::Depth, Along::Depth>(tile, of.key_dim, shared.slabs, [&](int32 r, int32 a) { return query_at(my, r, a); }, keys);
    for_tile<T>(tile, [&](int32 r, int32 s, float product) { my.products[r * Rows + s] = my.decays[r * Rows + s] * product; });
    block_barrier();
}

// z and e. Begins and ends with a barrier behind what it reads and writes. Some rows are solved one by one, and what they leave of those
// behind them is a product.
template <typename T> DEVICE void solve(const Work<T>& my)
{
    Shared<T>& shared = my.shared;
    Tile tile;
    clear(tile);
    multiply<Along::Depth, Along::Across>(tile, my.of.corrects != 0 ? my.of.key_dim : 0, shared.slabs,
        [&](int32 r, int32 a) { return key_at(my, r, a); }, [&](int32 a, int32 j) { return state_at(my, my.state, a, j); });
    for_tile<T>(tile, [&](int32 r, int32 j, float read) {
        shared.solved[r][j] = r < my.tokens ? value_at(my, r, j) - shared.from_state[r] * read : 0.0f;
    });
    block_barrier();
    const int32 j = threadIdx.x, step = Tiles<T>::Solved;
    for (int32 from = 0; from < my.tokens; from += step)
    {
        const int32 end = from + step < my.tokens ? from + step : my.tokens;
        for (int32 i = from; j < my.count && i < end; i++)
        {
            float z = shared.solved[i][j];
            for (int32 s = from; s < i && my.of.corrects != 0; s++)
            {
                z = fmaf(my.correction[i * Rows + s], shared.solved[s][j], z);
            }

            my.z[i * my.of.columns + j] = z;
            shared.solved[i][j] = shared.beta[i] * z;
            my.e[i * my.of.columns + j] = shared.solved[i][j];
        }

        block_barrier();
        if (end < my.tokens && my.of.corrects != 0)
        {
            clear(tile);
            multiply<Along::Depth, Along::Across>(tile, step, shared.slabs,
                [&](int32 r, int32 k) { return r >= end ? pair_at(my, my.correction, r, from + k) : 0.0f; },
                [&](int32 k, int32 c) { return shared.solved[from + k][c]; });
            for_tile<T>(tile, [&](int32 r, int32 c, float added) { shared.solved[r][c] += r >= end ? added : 0.0f; });
            block_barrier();
        }
    }
}

// The state after the block in place of that before it. Ends with a barrier.
template <typename T> DEVICE void advance(const Work<T>& my)
{
    Shared<T>& shared = my.shared;
    for (int32 first = 0; first < my.of.key_dim; first += Rows)
    {
        Tile tile;
        clear(tile);
        multiply<Along::Across, Along::Across>(tile, my.tokens, shared.slabs,
            [&](int32 r, int32 s) { return key_at(my, s, first + r) * shared.to_last[s]; },
            [&](int32 s, int32 j) { return column_at(my, my.e, s, j); });
        for_tile<T>(tile, [&](int32 r, int32 j, float added) {
            if (first + r < my.of.key_dim && j < my.count)
            {
                float* at = my.state + (first + r) * my.of.columns + j;
                *at = fmaf(shared.from_state[my.tokens - 1], *at, added);
            }
        });
    }

    block_barrier();
}

// Copies a run's columns of a head's state, or zeros. Begins and ends with a barrier.
template <typename T> DEVICE void load_state(const Work<T>& my, const float* from, float* to)
{
    block_barrier();
    for (int32 i = threadIdx.x; i < my.of.key_dim * my.count; i += Threads)
    {
        const int32 a = i / my.count, j = i % my.count;
        to[a * my.of.columns + j] = from == nullptr ? 0.0f : from[a * my.of.value_dim + my.from + j];
    }

    block_barrier();
}

template <typename T> DEVICE void store_state(const Work<T>& my, const float* from, float* to)
{
    block_barrier();
    for (int32 i = threadIdx.x; to != nullptr && i < my.of.key_dim * my.count; i += Threads)
    {
        const int32 a = i / my.count, j = i % my.count;
        to[a * my.of.value_dim + my.from + j] = from[a * my.of.columns + j];
    }

    block_barrier();
}

template <typename P> DEVICE P state_of(P states, const Heads& of, int32 head)
{
    return states == nullptr ? nullptr : states + (int64)head * of.key_dim * of.value_dim;
}
