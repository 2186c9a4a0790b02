// Causal attention of a chunk against its window on tensor cores, forward: FlashAttention-2 (Dao, 2023) for bf16, head_dim 64
// and 128, sm_80 and up. The contract is that of src/Dataflow.Cpu/Kernels/Attention.cs.
//
//   S = scale q K^T,  P = exp(S - max),  o = P V / rowsum(P),  lse = max + ln rowsum(P)
//   _capped: S = c tanh(scale q K^T / c)
//
// q, o: [T, heads hd]; kv: [window rows, 2 kv_heads hd], keys then values; first_key: [T], never decreasing; token t is window row
// row_offset + t and attends to rows first_key[t] to row_offset + t; query head h reads key/value head h / (heads / kv_heads).
// lse: [heads, T] fp32. o and lse are overwritten. S, P's maxima and sums and o's sums are fp32; P rounds to bf16 before P V (its
// row sums do not), o rounds once, at the end.
//
// A block is 128 tokens of one head, a warp 32 of them. Key blocks lie at multiples of 64 of the window and
// are taken in ascending order; those that first_key or causality hide from all 128 tokens are not visited, those hidden from a
// warp's 32 tokens cost it nothing, and only those that cross an edge of its mask are masked. K and V tiles go through a ring of
// three, so that the copy of the next tile but one is under way while a tile is multiplied.
//
// scale, scale2, inner: scale, log2(e) scale and 0; of _capped c, log2(e) c and 2 log2(e) scale / c.
//
// Launch of flash_attention_forward_hd64, _hd128, _hd64_capped, _hd128_capped:
//   grid ceil(T / 128) heads, block 128, dynamic shared bytes 640 hd + 192, no workspace.
// Launch of flash_attention_forward_segment_hd64, ...: the same, once for every segment of the window, in ascending order; kv
//   is the segment's first row, segment_start and segment_end are window rows, multiples of 64 (the last end may be anything from
//   row_offset + T up), which together cover what is attended to. `first` and `last` are 1 for the first and last segment.
//   Unnormalised o, maxima and sums travel in `state`, ceil(T / 128) heads 128 (hd + 8) 4 bytes, exactly: any cutting gives the
//   bits of the single launch. o and lse are written by the last one, or from
//   the state by flash_attention_forward_finish_hd64, _hd128, launched like it.
#include "flash_attention_forward_tiles.cuh"

// Hides the keys that a token does not attend to. `token` is that of the warp's first row, `key` the tile's first window row.
template <int Tiles>
DEVICE void mask(float (&s)[2][Tiles][4], const int32* first_key, int32 token, int32 tokens, int32 row_offset, int32 key)
{
    const int32 lane = thread_index() % 32;
#pragma unroll
    for (int i = 0; i < 4; i++)
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
DEVICE void cap(float (&s)[2][KeyRows / 8][4], float inner)
{
#pragma unroll
    for (int i = 0; i < KeyRows; i++)
    {
        float& score = s[i / (KeyRows / 2)][i / 4 % (KeyRows / 8)][i % 4];
        score = tanh_fast(score * inner);
    }
}

// s becomes p under the new maxima; sums (each lane's own columns) and o follow them.
template <int HeadDim>
DEVICE void softmax(float (&s)[2][KeyRows / 8][4], float (&o)[2][HeadDim / 8][4], float (&peak)[4], float (&sum)[4], float scale)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        const int m = i / 2;
        const int j = i % 2 * 2;
        float most = peak[i];
#pragma unroll
        for (int n = 0; n < KeyRows / 8; n++)
        {
            most = fmaxf(most, fmaxf(s[m][n][j], s[m][n][j + 1]));
        }

        most = fmaxf(most, shuffle_xor(most, 1));
        most = fmaxf(most, shuffle_xor(most, 2));
        const float shrink = exp2_fast((peak[i] - most) * scale);
        const float zero = most * scale;
        peak[i] = most;
        float total = sum[i] * shrink;
#pragma unroll
        for (int n = 0; n < KeyRows / 8; n++)
        {
            s[m][n][j] = exp2_fast(s[m][n][j] * scale - zero);
            s[m][n][j + 1] = exp2_fast(s[m][n][j + 1] * scale - zero);
            total += s[m][n][j] + s[m][n][j + 1];
        }

        sum[i] = total;
#pragma unroll
        for (int n = 0; n < HeadDim / 8; n++)
        {
            o[m][n][j] *= shrink;
            o[m][n][j + 1] *= shrink;
        }
    }
}

template <int HeadDim> DEVICE void load_state(const float4* state, float (&o)[2][HeadDim / 8][4], float (&peak)[4], float (&sum)[4])
{
#pragma unroll
    for (int i = 0; i < HeadDim / 4; i++)
    {
        const float4 four = state[i * Threads];
        float(&to)[4] = o[i / (HeadDim / 8)][i % (HeadDim / 8)];
        to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
    }

    const float4 peaks = state[HeadDim / 4 * Threads];
    const float4 sums = state[(HeadDim / 4 + 1) * Threads];
    peak[0] = peaks.x, peak[1] = peaks.y, peak[2] = peaks.z, peak[3] = peaks.w;
    sum[0] = sums.x, sum[1] = sums.y, sum[2] = sums.z, sum[3] = sums.w;
}

template <int HeadDim>
DEVICE void store_state(float4* state, const float (&o)[2][HeadDim / 8][4], const float (&peak)[4], const float (&sum)[4])
{
#pragma unroll
    for (int i = 0; i < HeadDim / 4; i++)
    {
        const float(&four)[4] = o[i / (HeadDim / 8)][i % (HeadDim / 8)];
        state[i * Threads] = make_float4(four[0], four[1], four[2], four[3]);
    }

    state[HeadDim / 4 * Threads] = make_float4(peak[0], peak[1], peak[2], peak[3]);
    state[(HeadDim / 4 + 1) * Threads] = make_float4(sum[0], sum[1], sum[2], sum[3]);
}

// Normalises and writes the warp's rows, o by way of its own rows of the q tile so that rows leave in 16-byte pieces.
template <int HeadDim>
DEVICE void store_output(float (&o)[2][HeadDim / 8][4], const float (&peak)[4], float (&sum)[4], unsigned char* tile, int32 token,
    int32 tokens, int32 stride, bf16* out, float* lse, float scale)
{
    const int32 lane = thread_index() % 32;
    const int32 warp_row = thread_index() / 32 * 32;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        sum[i] += shuffle_xor(sum[i], 1);
        sum[i] += shuffle_xor(sum[i], 2);
        const int32 row = i * 8 + lane / 4;
        if (lane % 4 == 0 && token + row < tokens)
        {
            lse[token + row] = peak[i] * scale + logf(sum[i]);
        }

        const float share = 1.0f / sum[i];
#pragma unroll
        for (int n = 0; n < HeadDim / 8; n++)
        {
            const float(&two)[4] = o[i / 2][n];
            *reinterpret_cast<uint32*>(tile + tile_offset<HeadDim>(warp_row + row, n) + lane % 4 * 4)
                = pack_bf16(two[i % 2 * 2] * share, two[i % 2 * 2 + 1] * share);
        }
    }

    warp_barrier();
    const int chunks = HeadDim / 8;
#pragma unroll
    for (int i = 0; i < chunks; i++)
    {
        const int32 row = i * (32 / chunks) + lane / chunks;
        if (token + row < tokens)
        {
            *reinterpret_cast<uint4*>(out + (int64)(token + row) * stride + lane % chunks * 8)
                = *reinterpret_cast<const uint4*>(tile + tile_offset<HeadDim>(warp_row + row, lane % chunks));
        }
    }
}

template <int HeadDim, bool Segmented, bool Capped>
DEVICE void flash_attention_forward(const bf16* q, const bf16* kv, const int32* first_key, bf16* o, float* lse, int32 tokens,
    int32 row_offset, int32 heads, int32 kv_heads, const Segment& segment, const Scores& scores)
{
    DYNAMIC_SHARED(shared);

    // The last tokens see the most keys: their blocks go first.
    const int32 head = blockIdx.x % heads;
    const int32 block = gridDim.x / heads - 1 - blockIdx.x / heads;
    const int32 token = block * QueryRows;
    int32 key = first_key[token] / KeyRows * KeyRows;
    int32 end = row_offset + min(token + QueryRows, tokens);
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

    const int32 stride = heads * HeadDim;
    const int32 kv_stride = 2 * kv_heads * HeadDim;
    const int32 to_values = kv_heads * HeadDim;
    const int32 kv_column = head / (heads / kv_heads) * HeadDim;
    const bf16* from = kv + (int64)(key - kv_start) * kv_stride + kv_column;
    unsigned char* k_tile = shared + QueryRows * Shape<HeadDim>::RowBytes;
    unsigned char* v_tile = k_tile + Shape<HeadDim>::TileBytes;
    unsigned char* next_tile = v_tile + Shape<HeadDim>::TileBytes;
    copy_rows<HeadDim, QueryRows>(shared, q + (int64)token * stride + head * HeadDim, stride, tokens - token);
    copy_keys<HeadDim>(k_tile, from, kv_stride, end - key);
    copy_keys<HeadDim>(v_tile, from + to_values, kv_stride, end - key);

    float out[2][HeadDim / 8][4];
    float peak[4];
    float sum[4];
    if (Segmented && !segment.first)
    {
        load_state<HeadDim>(segment.state_of<HeadDim>(block, head, heads), out, peak, sum);
    }
    else
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
        {
            peak[i] = NoMaximum;
            sum[i] = 0.0f;
        }

#pragma unroll
        for (int n = 0; n < HeadDim / 8; n++)
        {
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                out[0][n][i] = out[1][n][i] = 0.0f;
            }
        }
    }

    const int32 warp_token = token + thread_index() / 32 * 32;
    const int32 first_row = min(warp_token, tokens - 1);
    const int32 last_row = min(warp_token + 31, tokens - 1);
    *warp_rows<HeadDim>(shared) = {first_key[first_row], row_offset + last_row, first_key[last_row], row_offset + first_row, warp_token,
        head, block, kv_column, kv_start};
    for (; key < end; key += KeyRows)
    {
        float s[2][KeyRows / 8][4];
        copy_async_wait<1>();
        block_barrier();
        const WarpRows* warp = warp_rows<HeadDim>(shared);
        from = kv + (int64)(key + KeyRows - warp->kv_start) * kv_stride + warp->kv_column;
        copy_keys<HeadDim>(next_tile, from, kv_stride, end - key - KeyRows);
        const bool seen = key <= warp->some_last && key + KeyRows > warp->some_first;
        if (seen)
        {
            multiply_keys<HeadDim>(s, shared, k_tile);
            if constexpr (Capped)
            {
                cap(s, scores.inner);
            }

            if (key < warp->all_first || key + KeyRows - 1 > warp->all_last)
            {
                mask(s, first_key, warp->token, tokens, row_offset, key);
            }

            softmax<HeadDim>(s, out, peak, sum, scores.scale2);
        }

        copy_async_wait<1>();
        block_barrier();
        from = kv + (int64)(key + KeyRows - warp->kv_start) * kv_stride + warp->kv_column + to_values;
        copy_keys<HeadDim>(k_tile, from, kv_stride, end - key - KeyRows);
        if (seen)
        {
            multiply_values<HeadDim>(out, s, v_tile);
        }

        unsigned char* free_tile = v_tile;
        v_tile = k_tile;
        k_tile = next_tile;
        next_tile = free_tile;
    }

    const WarpRows* warp = warp_rows<HeadDim>(shared);
    if (Segmented && !segment.last)
    {
        store_state<HeadDim>(segment.state_of<HeadDim>(warp->block, warp->head, heads), out, peak, sum);
        return;
    }

    // A segment without keys leaves the q tile's copy under way.
    copy_async_wait<0>();
    block_barrier();
    store_output<HeadDim>(out, peak, sum, shared, warp->token, tokens, heads * HeadDim, o + warp->head * HeadDim,
        lse + (int64)warp->head * tokens, scores.scale);
}

// o and lse from the state alone, where the last segment's launch left it.
template <int HeadDim> DEVICE void flash_attention_forward_finish(
    float4* state, bf16* o, float* lse, int32 tokens, int32 heads, float scale)
{
    DYNAMIC_SHARED(shared);
    const int32 head = blockIdx.x % heads;
    const int32 block = gridDim.x / heads - 1 - blockIdx.x / heads;
    const int32 warp_token = block * QueryRows + thread_index() / 32 * 32;
    const Segment segment = {state, 0, 0, false, true};
    float out[2][HeadDim / 8][4];
    float peak[4];
    float sum[4];
    load_state<HeadDim>(segment.state_of<HeadDim>(block, head, heads), out, peak, sum);
    store_output<HeadDim>(
        out, peak, sum, shared, warp_token, tokens, heads * HeadDim, o + head * HeadDim, lse + (int64)head * tokens, scale);
}

#define FLASH_ATTENTION_FORWARD(variant, head_dim, capped)                                                                        \
    extern "C" __global__ void __launch_bounds__(128, 2) flash_attention_forward_##variant(const bf16* q, const bf16* kv,         \
        const int32* first_key, bf16* o, float* lse, int32 tokens, int32 row_offset, int32 heads, int32 kv_heads, float scale,    \
        float scale2, float inner)                                                                                                \
    {                                                                                                                             \
        flash_attention_forward<head_dim, false, capped>(                                                                         \
            q, kv, first_key, o, lse, tokens, row_offset, heads, kv_heads, Segment(), Scores{scale, scale2, inner});              \
    }                                                                                                                             \
    EXPORT_KERNEL(flash_attention_forward_##variant)                                                                              \
    extern "C" __global__ void __launch_bounds__(128, 2) flash_attention_forward_segment_##variant(const bf16* q, const bf16* kv, \
        const int32* first_key, bf16* o, float* lse, float* state, int32 tokens, int32 row_offset, int32 heads, int32 kv_heads,   \
        int32 segment_start, int32 segment_end, int32 first, int32 last, float scale, float scale2, float inner)                  \
    {                                                                                                                             \
        const Segment segment = {reinterpret_cast<float4*>(state), segment_start, segment_end, first != 0, last != 0};            \
        flash_attention_forward<head_dim, true, capped>(                                                                          \
            q, kv, first_key, o, lse, tokens, row_offset, heads, kv_heads, segment, Scores{scale, scale2, inner});                \
    }                                                                                                                             \
    EXPORT_KERNEL(flash_attention_forward_segment_##variant)

FLASH_ATTENTION_FORWARD(hd64, 64, false)
FLASH_ATTENTION_FORWARD(hd128, 128, false)
FLASH_ATTENTION_FORWARD(hd64_capped, 64, true)
FLASH_ATTENTION_FORWARD(hd128_capped, 128, true)

#define FLASH_ATTENTION_FORWARD_FINISH(head_dim)                                                                            \
    extern "C" __global__ void __launch_bounds__(128, 2) flash_attention_forward_finish_hd##head_dim(float* state, bf16* o, \
        float* lse, int32 tokens, int32 heads, float scale)                                                                 \
    {                                                                                                                       \
        flash_attention_forward_finish<head_dim>(reinterpret_cast<float4*>(state), o, lse, tokens, heads, scale);           \
    }                                                                                                                       \
    EXPORT_KERNEL(flash_attention_forward_finish_hd##head_dim)

FLASH_ATTENTION_FORWARD_FINISH(64)

FLASH_ATTENTION_FORWARD_FINISH(128)
