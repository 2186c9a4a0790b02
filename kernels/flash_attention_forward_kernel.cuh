// The kernels of flash_attention_forward.cu, whose head comment says what they compute, and of flash_attention_forward_padded.cu.
#pragma once

#include "flash_attention_forward_tiles.cuh"

// Hides the keys that a token does not attend to. `token` is that of the warp's first row, `key` the tile's first window row.
template <int RowTiles, int Tiles>
DEVICE void mask(float (&s)[RowTiles][Tiles][4], const int32* first_key, int32 token, int32 tokens, int32 row_offset, int32 key)
{
    const int32 lane = thread_index() % 32;
#pragma unroll
    for (int i = 0; i < 2 * RowTiles; i++)
    {
        // Rows beyond the chunk are treated as its last, which keeps them finite; they are not stored.
        const int32 row = min(token + i * 8 + lane / 4, tokens - 1);
        const int32 first = first_key[row] - key - lane % 4 * 2;
        const int32 last = row_offset + row - key - lane % 4 * 2;
#pragma unroll
        for (int n = 0; n < Tiles; n++)
        {
#pragma unroll
            for (int j = 0; j < 2; j++)
            {
                float& score = s[i / 2][n][i % 2 * 2 + j];
                score = first <= n * 8 + j && n * 8 + j <= last ? score : Hidden;
            }
        }
    }
}

// s becomes tanh(scale s / c), given 2 log2(e) scale / c.
template <int RowTiles, int Tiles> DEVICE void cap(float (&s)[RowTiles][Tiles][4], float inner)
{
#pragma unroll
    for (int i = 0; i < 4 * RowTiles * Tiles; i++)
    {
        float& score = s[i / (4 * Tiles)][i / 4 % Tiles][i % 4];
        score = tanh_fast(score * inner);
    }
}

// s becomes p under the new maxima; sums (each lane's own columns) and o follow them, where a maximum of the warp's grew: from block to
// block that becomes rare, and to multiply by 1 would be an eighth of a block's instructions.
template <typename S>
DEVICE void softmax(float (&s)[S::RowTiles][S::KeyRows / 8][4], float (&o)[S::RowTiles][S::HeadDim / 8][4], float (&peak)[2 * S::RowTiles],
    float (&sum)[2 * S::RowTiles], float scale)
{
    float shrink[2 * S::RowTiles];
    bool grown = false;
#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
        const int m = i / 2;
        const int j = i % 2 * 2;
        float most = peak[i];
#pragma unroll
        for (int n = 0; n < S::KeyRows / 8; n++)
        {
            most = fmaxf(most, fmaxf(s[m][n][j], s[m][n][j + 1]));
        }

        most = fmaxf(most, shuffle_xor(most, 1));
        most = fmaxf(most, shuffle_xor(most, 2));
        shrink[i] = exp2_fast((peak[i] - most) * scale);
        grown = grown || most > peak[i];
        peak[i] = most;
    }

    if (grown)
    {
#pragma unroll
        for (int i = 0; i < 2 * S::RowTiles; i++)
        {
            sum[i] *= shrink[i];
#pragma unroll
            for (int n = 0; n < S::HeadDim / 8; n++)
            {
                o[i / 2][n][i % 2 * 2] *= shrink[i];
                o[i / 2][n][i % 2 * 2 + 1] *= shrink[i];
            }
        }
    }

#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
        const float zero = peak[i] * scale;
#pragma unroll
        for (int n = 0; n < S::KeyRows / 8; n++)
        {
            float* two = s[i / 2][n] + i % 2 * 2;
            two[0] = exp2_fast(two[0] * scale - zero);
            two[1] = exp2_fast(two[1] * scale - zero);
            sum[i] += two[0] + two[1];
        }
    }
}

// Behind o lie all maxima, then all sums.
template <typename S> DEVICE void load_state(const float4* state, float (&o)[S::RowTiles][S::HeadDim / 8][4],
    float (&peak)[2 * S::RowTiles], float (&sum)[2 * S::RowTiles])
{
    const int fours = S::RowTiles * S::HeadDim / 8;
#pragma unroll
    for (int i = 0; i < fours; i++)
    {
        const float4 four = state[i * S::Threads];
        float(&to)[4] = o[i / (S::HeadDim / 8)][i % (S::HeadDim / 8)];
        to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
    }

    const float4 first = state[fours * S::Threads];
    peak[0] = first.x, peak[1] = first.y;
    if constexpr (S::RowTiles == 1)
    {
        sum[0] = first.z, sum[1] = first.w;
    }
    else
    {
        const float4 sums = state[(fours + 1) * S::Threads];
        peak[2] = first.z, peak[3] = first.w;
        sum[0] = sums.x, sum[1] = sums.y, sum[2] = sums.z, sum[3] = sums.w;
    }
}

template <typename S> DEVICE void store_state(float4* state, const float (&o)[S::RowTiles][S::HeadDim / 8][4],
    const float (&peak)[2 * S::RowTiles], const float (&sum)[2 * S::RowTiles])
{
    const int fours = S::RowTiles * S::HeadDim / 8;
#pragma unroll
    for (int i = 0; i < fours; i++)
    {
        const float(&four)[4] = o[i / (S::HeadDim / 8)][i % (S::HeadDim / 8)];
        state[i * S::Threads] = make_float4(four[0], four[1], four[2], four[3]);
    }

    if constexpr (S::RowTiles == 1)
    {
        state[fours * S::Threads] = make_float4(peak[0], peak[1], sum[0], sum[1]);
    }
    else
    {
        state[fours * S::Threads] = make_float4(peak[0], peak[1], peak[2], peak[3]);
        state[(fours + 1) * S::Threads] = make_float4(sum[0], sum[1], sum[2], sum[3]);
    }
}

// A head's results.
struct Output
{
    bf16* o;
    float* lse;
    int32 tokens, stride, head_dim;
    float scale;
};

// Normalises and writes the warp's rows, o by way of its own rows of the q tile so that rows leave in 16-byte pieces.
template <typename S> DEVICE void store_output(float (&o)[S::RowTiles][S::HeadDim / 8][4], const float (&peak)[2 * S::RowTiles],
    float (&sum)[2 * S::RowTiles], unsigned char* tile, int32 token, const Output& to)
{
    const int32 lane = thread_index() % 32;
    const int32 warp_row = thread_index() / 32 * S::Rows;
#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
        sum[i] += shuffle_xor(sum[i], 1);
        sum[i] += shuffle_xor(sum[i], 2);
        const int32 row = i * 8 + lane / 4;
        if (lane % 4 == 0 && token + row < to.tokens)
        {
            to.lse[token + row] = peak[i] * to.scale + logf(sum[i]);
        }

        const float share = 1.0f / sum[i];
#pragma unroll
        for (int n = 0; n < S::HeadDim / 8; n++)
        {
            const float(&two)[4] = o[i / 2][n];
            *reinterpret_cast<uint32*>(tile + tile_offset<S::HeadDim>(warp_row + row, n) + lane % 4 * 4)
                = pack_bf16(two[i % 2 * 2] * share, two[i % 2 * 2 + 1] * share);
        }
    }

    warp_barrier();
    const int chunks = S::HeadDim / 8;
#pragma unroll
    for (int i = 0; i < S::Rows * chunks / 32; i++)
    {
        const int32 row = i * (32 / chunks) + lane / chunks;
        const int32 column = lane % chunks * 8;
        if (token + row < to.tokens)
        {
            store_chunk<S>(to.o + (int64)(token + row) * to.stride + column,
                tile + tile_offset<S::HeadDim>(warp_row + row, lane % chunks), to.head_dim - column, to.head_dim);
        }
    }
}

template <typename S, bool Segmented, bool Capped>
DEVICE void flash_attention_forward(const bf16* q, const bf16* kv, const int32* first_key, bf16* o, float* lse, int32 tokens,
    int32 row_offset, int32 heads, int32 kv_heads, int32 head_dim, const Segment& segment, const Scores& scores)
{
    DYNAMIC_SHARED(shared);

    // The last tokens see the most keys: their blocks go first.
    const int32 head = blockIdx.x % heads;
    const int32 block = gridDim.x / heads - 1 - blockIdx.x / heads;
    const int32 token = block * S::QueryRows;
    int32 key = first_key[token] / S::KeyRows * S::KeyRows;
    int32 end = row_offset + min(token + S::QueryRows, tokens);
    int32 kv_start = 0;
    if (Segmented)
    {
        kv_start = segment.start;
        key = max(key, segment.start);
        end = min(end, segment.end);
        if (key >= end && !segment.first && !segment.last)
        {
            return;
        }
    }

    const int32 stride = heads * width<S>(head_dim);
    const int32 kv_stride = 2 * kv_heads * width<S>(head_dim);
    const int32 to_values = kv_heads * width<S>(head_dim);
    const int32 kv_column = head / (heads / kv_heads) * width<S>(head_dim);
    const bf16* from = kv + (int64)(key - kv_start) * kv_stride + kv_column;
    unsigned char* k_tile = shared + S::QueryRows * S::RowBytes;
    unsigned char* v_tile = k_tile + S::TileBytes;
    unsigned char* next_tile = v_tile + S::TileBytes;
    copy_rows<S, S::QueryRows>(shared, q + (int64)token * stride + head * width<S>(head_dim), stride, tokens - token, head_dim);
    copy_keys<S>(k_tile, from, kv_stride, end - key, head_dim);
    copy_keys<S>(v_tile, from + to_values, kv_stride, end - key, head_dim);

    float out[S::RowTiles][S::HeadDim / 8][4];
    float peak[2 * S::RowTiles];
    float sum[2 * S::RowTiles];
    if (Segmented && !segment.first)
    {
        load_state<S>(segment.state_of<S>(block, head, heads), out, peak, sum);
    }
    else
    {
#pragma unroll
        for (int i = 0; i < 2 * S::RowTiles; i++)
        {
            peak[i] = NoMaximum;
            sum[i] = 0.0f;
        }

#pragma unroll
        for (int n = 0; n < S::HeadDim / 8; n++)
        {
#pragma unroll
            for (int i = 0; i < 4 * S::RowTiles; i++)
            {
                out[i / 4][n][i % 4] = 0.0f;
            }
        }
    }

    const int32 warp_token = token + thread_index() / 32 * S::Rows;
    const int32 first_row = min(warp_token, tokens - 1);
    const int32 last_row = min(warp_token + S::Rows - 1, tokens - 1);
    *warp_rows<S>(shared) = {first_key[first_row], row_offset + last_row, first_key[last_row], row_offset + first_row, warp_token,
        head, block, kv_column, kv_start};
    for (; key < end; key += S::KeyRows)
    {
        float s[S::RowTiles][S::KeyRows / 8][4];
        copy_async_wait<1>();
        block_barrier();
        const WarpRows* warp = warp_rows<S>(shared);
        from = kv + (int64)(key + S::KeyRows - warp->kv_start) * kv_stride + warp->kv_column;
        copy_keys<S>(next_tile, from, kv_stride, end - key - S::KeyRows, head_dim);
        const bool seen = key <= warp->some_last && key + S::KeyRows > warp->some_first;
        if (seen)
        {
            multiply_keys<S>(s, shared, k_tile);
            if constexpr (Capped)
            {
                cap(s, scores.inner);
            }

            if (key < warp->all_first || key + S::KeyRows - 1 > warp->all_last)
            {
                mask(s, first_key, warp->token, tokens, row_offset, key);
            }

            softmax<S>(s, out, peak, sum, scores.scale2);
        }

        copy_async_wait<1>();
        block_barrier();
        from = kv + (int64)(key + S::KeyRows - warp->kv_start) * kv_stride + warp->kv_column + to_values;
        copy_keys<S>(k_tile, from, kv_stride, end - key - S::KeyRows, head_dim);
        if (seen)
        {
            multiply_values<S>(out, s, v_tile);
        }

        unsigned char* free_tile = v_tile;
        v_tile = k_tile;
        k_tile = next_tile;
        next_tile = free_tile;
    }

    const WarpRows* warp = warp_rows<S>(shared);
    if (Segmented && !segment.last)
    {
        store_state<S>(segment.state_of<S>(warp->block, warp->head, heads), out, peak, sum);
        return;
    }

    // A segment without keys leaves the q tile's copy under way.
    copy_async_wait<0>();
    block_barrier();
    store_output<S>(out, peak, sum, shared, warp->token, {o + warp->head * width<S>(head_dim), lse + (int64)warp->head * tokens, tokens,
        heads * width<S>(head_dim), width<S>(head_dim), scores.scale});
}

// o and lse from the state alone, where the last segment's launch left it.
template <typename S> DEVICE void flash_attention_forward_finish(
    float4* state, bf16* o, float* lse, int32 tokens, int32 heads, int32 head_dim, float scale)
{
    DYNAMIC_SHARED(shared);
    const int32 head = blockIdx.x % heads;
    const int32 block = gridDim.x / heads - 1 - blockIdx.x / heads;
    const int32 warp_token = block * S::QueryRows + thread_index() / 32 * S::Rows;
    const Segment segment = {state, 0, 0, false, true};
    float out[S::RowTiles][S::HeadDim / 8][4];
    float peak[2 * S::RowTiles];
    float sum[2 * S::RowTiles];
    load_state<S>(segment.state_of<S>(block, head, heads), out, peak, sum);
    store_output<S>(out, peak, sum, shared, warp_token,
        {o + head * width<S>(head_dim), lse + (int64)head * tokens, tokens, heads * width<S>(head_dim), width<S>(head_dim), scale});
}

#define FLASH_ATTENTION_FORWARD(variant, columns, padded, capped)                                                                 \
    extern "C" __global__ void __launch_bounds__(128, 2) flash_attention_forward_##variant(const bf16* q, const bf16* kv,         \
        const int32* first_key, bf16* o, float* lse, int32 tokens, int32 row_offset, int32 heads, int32 kv_heads, float scale,    \
        float scale2, float inner, int32 head_dim)                                                                                \
    {                                                                                                                             \
        flash_attention_forward<Shape<columns, padded>, false, capped>(q, kv, first_key, o, lse, tokens, row_offset, heads,       \
            kv_heads, head_dim, Segment(), Scores{scale, scale2, inner});                                                         \
    }                                                                                                                             \
    EXPORT_KERNEL(flash_attention_forward_##variant)                                                                              \
    extern "C" __global__ void __launch_bounds__(128, 2) flash_attention_forward_segment_##variant(const bf16* q, const bf16* kv, \
        const int32* first_key, bf16* o, float* lse, float* state, int32 tokens, int32 row_offset, int32 heads, int32 kv_heads,   \
        int32 segment_start, int32 segment_end, int32 first, int32 last, float scale, float scale2, float inner, int32 head_dim)  \
    {                                                                                                                             \
        const Segment segment = {reinterpret_cast<float4*>(state), segment_start, segment_end, first != 0, last != 0};            \
        flash_attention_forward<Shape<columns, padded>, true, capped>(q, kv, first_key, o, lse, tokens, row_offset, heads,        \
            kv_heads, head_dim, segment, Scores{scale, scale2, inner});                                                           \
    }                                                                                                                             \
    EXPORT_KERNEL(flash_attention_forward_segment_##variant)

#define FLASH_ATTENTION_FORWARD_FINISH(variant, columns, padded)                                                                  \
    extern "C" __global__ void __launch_bounds__(128, 2) flash_attention_forward_finish_##variant(float* state, bf16* o,          \
        float* lse, int32 tokens, int32 heads, float scale, int32 head_dim)                                                       \
    {                                                                                                                             \
        flash_attention_forward_finish<Shape<columns, padded>>(                                                                   \
            reinterpret_cast<float4*>(state), o, lse, tokens, heads, head_dim, scale);                                            \
    }                                                                                                                             \
    EXPORT_KERNEL(flash_attention_forward_finish_##variant)
