// Causal attention of a chunk against its window: the plain provider, the reference on the device. Any even head_dim up to 512, fp32
// or bf16 storage, all arithmetic fp32 without tensor cores. The contract is that of src/Dataflow.Cpu/Kernels/Attention.cs.
//
//   S = scale q K^T,  P = exp(S - lse),  o = P V,  lse = ln rowsum(exp S)
//   delta = rowsum(dO o),  dS = scale P (dO V^T - delta),  dq = dS K,  dK = dS^T q,  dV = P^T dO
//   _capped: S = c tanh(scale q K^T / c) with c = softcap, which is else not looked at, and dS has the factor 1 - (S / c)^2 too
//
// q, o, o_gradient, dq: [T, heads hd]; kv: [window rows, 2 kv_heads hd], keys then values; first_key: [T], never decreasing; token
// t is window row row_offset + t and attends to rows first_key[t] to row_offset + t; query head h reads key/value head
// h / (heads / kv_heads). lse, delta: [heads, T] fp32. dkv: [window rows, 2 kv_heads hd] fp32, rows below row_offset + T overwritten
// or, under `accumulate`, added to; all else is overwritten. Only what is stored as bf16 is rounded, once. Sums go over keys
// ascending (o, dq) and over heads of the group, then queries, ascending (dK, dV).
//
// Launches, block 256 throughout; names end in _f32 or _bf16, before which stand _wide for head_dim above 128, _widest for head_dim
// above 256, and _capped where scores are softcapped. F = 64 tokens (32 wide, 16 widest), B = 32 rows (16 wide and widest); N = 4 tiles
// of the backward in shared memory (2 widest: both of a side take turns); S = 16,384 bytes (32,768 widest); R = 16 (ceil(hd / 4) | 1) is
// the bytes of a row in shared memory.
//   attention_forward:      grid ceil(T / F) heads, dynamic shared bytes 2 F R + 4 F (F + 4)
//   attention_delta:        grid ceil(T heads / 8), none
//   attention_backward_kv:  grid ceil(window rows / B) kv_heads, N B R + 8 B (B + 4); rows of the segment up to row_offset + T
//   attention_backward_q:   grid ceil(T / B) heads, N B R + 8 B (B + 4)
// A window in segments: forward, backward_kv and backward_q are launched for each, in ascending order, with kv and dkv at the
// segment's first row, segment_start and segment_end in window rows (multiples of 64; the last end may be anything from
// row_offset + T up), first and last 1 for the first and the last segment. Sums travel in `state`, exactly: ceil(T / F) heads 40,960
// bytes (forward) or ceil(T / B) heads S bytes (backward_q). A window in one piece: 0, row_offset + T, 1, 1 and any state. A
// segment from 0 to 0 that is the last but not the first has no keys: only state, o, lse or dq are looked at.
#include "attention_tiles.cuh"

template <bool Capped, typename T, int Rows, int Groups>
DEVICE void attention_forward(const Arguments& at, const T* q, const T* kv, const int32* first_key, T* o, float* lse, float* state)
{
    DYNAMIC_SHARED(shared);
    const int tile = 16 * Rows;
    float* queries = reinterpret_cast<float*>(shared);
    float* keys = queries + tile * at.row_floats();
    float* weights = keys + tile * at.row_floats();
    const int32 head = blockIdx.x % at.heads;
    const int32 block = gridDim.x / at.heads - 1 - blockIdx.x / at.heads;
    const int32 token = block * tile;
    const int32 valid = min(tile, at.tokens - token);
    const int64 place = ((int64)block * at.heads + head) * 40;
    const T* kv_head = kv + head / (at.heads / at.kv_heads) * at.head_dim;
    if (at.has_keys())
    {
        load_rows(queries, at, q + (int64)token * at.stride() + head * at.head_dim, at.stride(), tile, valid);
    }

    float sums[Rows][Groups][4] = {};
    OnlineSoftmax<Rows> softmax;
    softmax.clear();
    if (!at.first)
    {
        copy_state<false, Rows * Groups * 4>(&sums[0][0][0], state, place);
        copy_state<false, Rows>(softmax.peak, state, place + 32);
        copy_state<false, Rows>(softmax.sum, state, place + 32 + Rows);
    }

    const int32 end = min(at.end(), at.row_offset + token + valid);
    for (int32 key = at.has_keys() ? max(at.segment_start, first_key[token] / tile * tile) : end; key < end; key += tile)
    {
        const T* from = kv_head + (int64)(key - at.segment_start) * at.kv_stride();
        block_barrier();
        load_rows(keys, at, from, at.kv_stride(), tile, end - key);
        block_barrier();
        float scores[Rows][Rows] = {};
        float shrink[Rows];
        multiply_rows(scores, at, queries, keys);
#pragma unroll
        for (int i = 0; i < Rows * Rows; i++)
        {
            float& score = scores[i / Rows][i % Rows];
            const bool seen = at.sees(first_key, token + row_of_thread() + 16 * (i / Rows), key + column_of_thread() + 16 * (i % Rows));
            score = seen ? score_of<Capped>(at, score) : Hidden;
        }

        softmax.update(scores, shrink);
        store_weights(weights, scores);
#pragma unroll
        for (int i = 0; i < Rows * Groups * 4; i++)
        {
            sums[i / 4 / Groups][i / 4 % Groups][i % 4] *= shrink[i / 4 / Groups];
        }

        block_barrier();
        load_rows(keys, at, from + at.kv_heads * at.head_dim, at.kv_stride(), tile, end - key);
        block_barrier();
        add_weighted_rows(sums, at, weights, keys);
    }

    if (!at.last)
    {
        copy_state<true, Rows * Groups * 4>(&sums[0][0][0], state, place);
        copy_state<true, Rows>(softmax.peak, state, place + 32);
        copy_state<true, Rows>(softmax.sum, state, place + 32 + Rows);
        return;
    }

    float factors[Rows];
#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        const int32 row = row_of_thread() + 16 * i;
        for (int mask = 8; mask > 0; mask >>= 1)
        {
            softmax.sum[i] += shuffle_xor(softmax.sum[i], mask);
        }

        factors[i] = 1.0f / softmax.sum[i];
        if (column_of_thread() == 0 && row < valid)
        {
            lse[(int64)head * at.tokens + token + row] = softmax.peak[i] + logf(softmax.sum[i]);
        }
    }

    store_rows(o + (int64)token * at.stride() + head * at.head_dim, at, at.stride(), valid, sums, factors, false);
}

// Heads so wide that a block has room for one tile of a side: its keys and values, or queries and gradients, take turns there.
template <int Groups> constexpr DEVICE bool take_turns() { return Groups > 4; }

// P and dS of the products of a query tile with a key tile and of gradients with values, the first index of both being that of the rows
// in a thread's hands: keys (OfKeys) or queries.
template <bool Capped, int Rows, bool OfKeys>
DEVICE void score_gradients(float (&p)[Rows][Rows], float (&slope)[Rows][Rows], const Arguments& at, const int32* first_key, int32 token,
    int32 key, const float* lse, const float* delta)
{
#pragma unroll
    for (int i = 0; i < Rows * Rows; i++)
    {
        const int32 row = row_of_thread() + 16 * (i / Rows);
        const int32 column = column_of_thread() + 16 * (i % Rows);
        const int32 query = token + (OfKeys ? column : row);
        float& probability = p[i / Rows][i % Rows];
        float& gradient = slope[i / Rows][i % Rows];
        const bool seen = at.sees(first_key, query, key + (OfKeys ? row : column));
        const float product = probability;
        probability = seen ? expf(score_of<Capped>(at, product) - lse[query]) : 0.0f;
        gradient = seen ? product_gradient<Capped>(at, probability * (gradient - delta[query]), product) : 0.0f;
    }
}

template <bool Capped, typename T, int Rows, int Groups> DEVICE void attention_backward_kv(const Arguments& at, const T* q, const T* kv,
    const int32* first_key, const T* o_gradient, const float* lse, const float* delta, float* dkv, bool accumulate)
{
    DYNAMIC_SHARED(shared);
    const int tile = 16 * Rows;
    const int32 tile_floats = tile * at.row_floats();
    float* keys = reinterpret_cast<float*>(shared);
    float* values = take_turns<Groups>() ? keys : keys + tile_floats;
    float* queries = values + tile_floats;
    float* gradients = take_turns<Groups>() ? queries : queries + tile_floats;
    float* weights = gradients + tile_floats;
    float* slopes = weights + tile * (tile + 4);
    const int32 kv_head = blockIdx.x % at.kv_heads;
    const int32 row = (int32)(blockIdx.x / at.kv_heads) * tile; // of the segment
    const int32 key = at.segment_start + row;
    const int32 group = at.heads / at.kv_heads;
    const T* from = kv + (int64)row * at.kv_stride() + kv_head * at.head_dim;
    const T* from_values = from + at.kv_heads * at.head_dim;
    if constexpr (!take_turns<Groups>())
    {
        load_rows(keys, at, from, at.kv_stride(), tile, at.end() - key);
        load_rows(values, at, from_values, at.kv_stride(), tile, at.end() - key);
    }

    float key_sums[Rows][Groups][4] = {};
    float value_sums[Rows][Groups][4] = {};
    const int32 first_token = max(0, key - at.row_offset) / tile * tile;
    for (int32 head = kv_head * group; head < (kv_head + 1) * group; head++)
    {
        for (int32 token = first_token; token < at.tokens && first_key[token] < key + tile; token += tile)
        {
            const int64 offset = (int64)token * at.stride() + head * at.head_dim;
            block_barrier();
            load_rows(queries, at, q + offset, at.stride(), tile, at.tokens - token);
            if constexpr (take_turns<Groups>())
            {
                load_rows(keys, at, from, at.kv_stride(), tile, at.end() - key);
            }
            else
            {
                load_rows(gradients, at, o_gradient + offset, at.stride(), tile, at.tokens - token);
            }

            block_barrier();
            float p[Rows][Rows] = {};
            float slope[Rows][Rows] = {};
            multiply_rows(p, at, keys, queries);
            if constexpr (take_turns<Groups>())
            {
                block_barrier();
                load_rows(values, at, from_values, at.kv_stride(), tile, at.end() - key);
                load_rows(gradients, at, o_gradient + offset, at.stride(), tile, at.tokens - token);
                block_barrier();
            }

            multiply_rows(slope, at, values, gradients);
            score_gradients<Capped, Rows, true>(
                p, slope, at, first_key, token, key, lse + (int64)head * at.tokens, delta + (int64)head * at.tokens);
            store_weights(weights, p);
            store_weights(slopes, slope);
            block_barrier();
            add_weighted_rows(value_sums, at, weights, gradients);
            if constexpr (take_turns<Groups>())
            {
                block_barrier();
                load_rows(queries, at, q + offset, at.stride(), tile, at.tokens - token);
                block_barrier();
            }

            add_weighted_rows(key_sums, at, slopes, queries);
        }
    }

    float* to = dkv + (int64)row * at.kv_stride() + kv_head * at.head_dim;
    const float factors[2] = {1.0f, 1.0f};
    store_rows(to, at, at.kv_stride(), at.end() - key, key_sums, factors, accumulate);
    store_rows(to + at.kv_heads * at.head_dim, at, at.kv_stride(), at.end() - key, value_sums, factors, accumulate);
}

template <bool Capped, typename T, int Rows, int Groups> DEVICE void attention_backward_q(const Arguments& at, const T* q, const T* kv,
    const int32* first_key, const T* o_gradient, const float* lse, const float* delta, T* dq, float* state)
{
    DYNAMIC_SHARED(shared);
    const int tile = 16 * Rows;
    const int32 tile_floats = tile * at.row_floats();
    float* queries = reinterpret_cast<float*>(shared);
    float* gradients = take_turns<Groups>() ? queries : queries + tile_floats;
    float* keys = gradients + tile_floats;
    float* values = take_turns<Groups>() ? keys : keys + tile_floats;
    float* slopes = values + tile_floats;
    const int32 head = blockIdx.x % at.heads;
    const int32 block = gridDim.x / at.heads - 1 - blockIdx.x / at.heads;
    const int32 token = block * tile;
    const int32 valid = min(tile, at.tokens - token);
    const int64 place = ((int64)block * at.heads + head) * (4 * Rows * Groups);
    const int64 offset = (int64)token * at.stride() + head * at.head_dim;
    if (!take_turns<Groups>() && at.has_keys())
    {
        load_rows(queries, at, q + offset, at.stride(), tile, valid);
        load_rows(gradients, at, o_gradient + offset, at.stride(), tile, valid);
    }

    float sums[Rows][Groups][4] = {};
    if (!at.first)
    {
        copy_state<false, Rows * Groups * 4>(&sums[0][0][0], state, place);
    }

    const int32 end = min(at.end(), at.row_offset + token + valid);
    for (int32 key = at.has_keys() ? max(at.segment_start, first_key[token] / tile * tile) : end; key < end; key += tile)
    {
        const T* from = kv + (int64)(key - at.segment_start) * at.kv_stride() + head / (at.heads / at.kv_heads) * at.head_dim;
        block_barrier();
        load_rows(keys, at, from, at.kv_stride(), tile, end - key);
        if constexpr (take_turns<Groups>())
        {
            load_rows(queries, at, q + offset, at.stride(), tile, valid);
        }
        else
        {
            load_rows(values, at, from + at.kv_heads * at.head_dim, at.kv_stride(), tile, end - key);
        }

        block_barrier();
        float p[Rows][Rows] = {};
        float slope[Rows][Rows] = {};
        multiply_rows(p, at, queries, keys);
        if constexpr (take_turns<Groups>())
        {
            block_barrier();
            load_rows(values, at, from + at.kv_heads * at.head_dim, at.kv_stride(), tile, end - key);
            load_rows(gradients, at, o_gradient + offset, at.stride(), tile, valid);
            block_barrier();
        }

        multiply_rows(slope, at, gradients, values);
        score_gradients<Capped, Rows, false>(
            p, slope, at, first_key, token, key, lse + (int64)head * at.tokens, delta + (int64)head * at.tokens);
        store_weights(slopes, slope);
        block_barrier();
        if constexpr (take_turns<Groups>())
        {
            load_rows(keys, at, from, at.kv_stride(), tile, end - key);
            block_barrier();
        }

        add_weighted_rows(sums, at, slopes, keys);
    }

    if (!at.last)
    {
        copy_state<true, Rows * Groups * 4>(&sums[0][0][0], state, place);
        return;
    }

    const float factors[2] = {1.0f, 1.0f};
    store_rows(dq + offset, at, at.stride(), valid, sums, factors, false);
}

// A warp a token and head.
template <typename T> DEVICE void attention_delta(const T* o, const T* o_gradient, float* delta, int32 tokens, int32 heads, int32 head_dim)
{
    const int64 row = (int64)blockIdx.x * (Threads / 32) + threadIdx.x / 32;
    if (row >= (int64)tokens * heads)
    {
        return;
    }

    float sum = 0.0f;
    for (int32 column = (int32)threadIdx.x % 32; column < head_dim; column += 32)
    {
        sum += to_float(o[row * head_dim + column]) * to_float(o_gradient[row * head_dim + column]);
    }

    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0)
    {
        delta[row % heads * tokens + row / heads] = sum;
    }
}

#define ENTRY extern "C" __global__ void __launch_bounds__(256, 2)

// Two blocks fit a multiprocessor where a compiler makes do with 128 registers, as it does up to sm_90; a later one, told to, spilled. So
// do the backwards of the widest heads.
#define FORWARD_ENTRY extern "C" __global__ void __launch_bounds__(256, 1)

#define SHAPE \
    int32 tokens, int32 row_offset, int32 heads, int32 kv_heads, int32 head_dim, int32 segment_start, int32 segment_end, float scale, \
        float softcap

#define GIVEN(first, last) {tokens, row_offset, heads, kv_heads, head_dim, segment_start, segment_end, scale, softcap, first, last}

#define ATTENTION(suffix, capped, T, forward_rows, backward_rows, forward_groups, backward_groups, entry)                                \
    FORWARD_ENTRY attention_forward##suffix(const T* q, const T* kv, const int32* first_key, T* o, float* lse, float* state, SHAPE,      \
        int32 first, int32 last)                                                                                                         \
    {                                                                                                                                    \
        attention_forward<capped, T, forward_rows, forward_groups>(GIVEN(first, last), q, kv, first_key, o, lse, state);                 \
    }                                                                                                                                    \
    EXPORT_KERNEL(attention_forward##suffix)                                                                                             \
    entry attention_backward_kv##suffix(const T* q, const T* kv, const int32* first_key, const T* o_gradient, const float* lse,          \
        const float* delta, float* dkv, SHAPE, int32 accumulate)                                                                         \
    {                                                                                                                                    \
        attention_backward_kv<capped, T, backward_rows, backward_groups>(GIVEN(1, 1), q, kv, first_key, o_gradient, lse, delta, dkv,     \
            accumulate != 0);                                                                                                            \
    }                                                                                                                                    \
    EXPORT_KERNEL(attention_backward_kv##suffix)                                                                                         \
    entry attention_backward_q##suffix(const T* q, const T* kv, const int32* first_key, const T* o_gradient, const float* lse,           \
        const float* delta, T* dq, float* state, SHAPE, int32 first, int32 last)                                                         \
    {                                                                                                                                    \
        attention_backward_q<capped, T, backward_rows, backward_groups>(GIVEN(first, last), q, kv, first_key, o_gradient, lse, delta,    \
            dq, state);                                                                                                                  \
    }                                                                                                                                    \
    EXPORT_KERNEL(attention_backward_q##suffix)

ATTENTION(_f32, false, float, 4, 2, 2, 2, ENTRY)
ATTENTION(_bf16, false, bf16, 4, 2, 2, 2, ENTRY)
ATTENTION(_wide_f32, false, float, 2, 1, 4, 4, ENTRY)
ATTENTION(_wide_bf16, false, bf16, 2, 1, 4, 4, ENTRY)
ATTENTION(_capped_f32, true, float, 4, 2, 2, 2, ENTRY)
ATTENTION(_capped_bf16, true, bf16, 4, 2, 2, 2, ENTRY)
ATTENTION(_wide_capped_f32, true, float, 2, 1, 4, 4, ENTRY)
ATTENTION(_wide_capped_bf16, true, bf16, 2, 1, 4, 4, ENTRY)
ATTENTION(_widest_f32, false, float, 1, 1, 8, 8, FORWARD_ENTRY)
ATTENTION(_widest_bf16, false, bf16, 1, 1, 8, 8, FORWARD_ENTRY)
ATTENTION(_widest_capped_f32, true, float, 1, 1, 8, 8, FORWARD_ENTRY)
ATTENTION(_widest_capped_bf16, true, bf16, 1, 1, 8, 8, FORWARD_ENTRY)

#define ATTENTION_DELTA(type, T)                                                                                                          \
    ENTRY attention_delta_##type(const T* o, const T* o_gradient, float* delta, int32 tokens, int32 heads, int32 head_dim)                \
    {                                                                                                                                     \
        attention_delta(o, o_gradient, delta, tokens, heads, head_dim);                                                                   \
    }                                                                                                                                     \
    EXPORT_KERNEL(attention_delta_##type)

ATTENTION_DELTA(f32, float)

ATTENTION_DELTA(bf16, bf16)
