// The kernels of flash_attention_backward.cu, whose head comment says what they compute, and of flash_attention_backward_padded.cu.
#pragma once

#include "flash_attention_backward_tiles.cuh"

// The first token that attends to no row below `row`; first_key never decreases. All lanes of a warp search together.
DEVICE int32 first_token_past(const int32* first_key, int32 tokens, int32 row)
{
    int32 low = 0;
    int32 count = tokens;
    while (count > 0)
    {
        const int32 step = (count + 31) / 32;
        const int32 probe = low + (thread_index() % 32 + 1) * step - 1;
        const bool before = probe < low + count && first_key[probe] < row;
        const int32 passed = (int32)warp_sum(before ? 1.0f : 0.0f) * step;
        count = min(step - 1, count - passed);
        low += passed;
    }

    return low;
}

// The warp's part of each product, by its first row and column. (In functions, so that registers are free of them meanwhile.)
template <typename S> DEVICE int32 score_row() { return thread_index() / 32 / S::ScoreColumns * (16 * S::RowTiles); }

template <typename S> DEVICE int32 score_column() { return thread_index() / 32 % S::ScoreColumns * S::ScoreTiles * 8; }

template <typename S> DEVICE int32 key_row() { return thread_index() / 32 / S::KeyColumns * 32; }

template <typename S> DEVICE int32 key_chunk() { return thread_index() / 32 % S::KeyColumns * S::KeyTiles; }

template <typename S> DEVICE int32 query_chunk() { return thread_index() / 32 % S::QueryColumns * S::QueryTiles; }

// The thread's first row in the query block.
template <typename S> DEVICE int32 lane_row() { return score_row<S>() + thread_index() % 32 / 4; }

// s becomes P, or zero where a key is hidden. `key`: the key block's first row of the window.
template <typename S, bool Capped>
DEVICE void probabilities(
    float (&s)[S::RowTiles][S::ScoreTiles][4], const Arguments& at, const unsigned char* stats, int32 token, int32 key)
{
    const int32 row = lane_row<S>();
#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
        const float lse2 = reinterpret_cast<const RowStats*>(stats)[row + 8 * i].lse2;
#pragma unroll
        for (int n = 0; n < S::ScoreTiles; n++)
        {
            float* two = s[i / 2][n] + i % 2 * 2;
            two[0] = exp2_fast((Capped ? tanh_fast(two[0] * at.inner) : two[0]) * at.scale2 - lse2);
            two[1] = exp2_fast((Capped ? tanh_fast(two[1] * at.inner) : two[1]) * at.scale2 - lse2);
        }
    }

    const BlockBounds& bounds = *reinterpret_cast<const BlockBounds*>(stats + 8 * S::QueryRows);
    key += score_column<S>();
    if (bounds.first_of_last <= key && key + 8 * S::ScoreTiles - 1 <= at.row_offset + token + score_row<S>())
    {
        return;
    }

    key += thread_index() % 4 * 2;
#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
        const int32 query = min(token + row + 8 * i, at.tokens - 1);
        const int32 first = at.first_key[query] - key;
        const int32 last = at.row_offset + query - key;
#pragma unroll
        for (int n = 0; n < S::ScoreTiles; n++)
        {
#pragma unroll
            for (int j = 0; j < 2; j++)
            {
                float& p = s[i / 2][n][i % 2 * 2 + j];
                p = first <= 8 * n + j && 8 * n + j <= last ? p : 0.0f;
            }
        }
    }
}

// Rounds a warp's part of P or dS into its tile.
template <typename S> DEVICE void store_scores(unsigned char* tile, const float (&s)[S::RowTiles][S::ScoreTiles][4])
{
    const int32 first = tile_offset<S::KeyRows>(lane_row<S>(), score_column<S>() / 8) + thread_index() % 4 * 4;
#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
#pragma unroll
        for (int n = 0; n < S::ScoreTiles; n++)
        {
            const float* two = s[i / 2][n] + i % 2 * 2;
            *reinterpret_cast<uint32*>(tile + (first ^ n << 4) + i * 16 * S::KeyRows) = pack_bf16(two[0], two[1]);
        }
    }
}

// A warp's part of dK or dV to rows of dkv, of which those from `valid` on are not there.
template <typename S>
DEVICE void store_key_sums(float* to, const float (&sum)[2][S::KeyTiles][4], float scale, const Arguments& at, int32 valid)
{
    const int32 stride = 2 * at.kv_heads * width<S>(at.head_dim);
    const int32 columns = width<S>(at.head_dim) - (key_chunk<S>() * 8 + thread_index() % 4 * 2);
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        if (8 * i < valid)
        {
#pragma unroll
            for (int n = 0; n < S::KeyTiles; n++)
            {
                if (S::Padded && 8 * n >= columns)
                {
                    continue;
                }

                float2* place = reinterpret_cast<float2*>(to + (int64)(8 * i) * stride + 8 * n);
                float2 two = make_float2(sum[i / 2][n][i % 2 * 2] * scale, sum[i / 2][n][i % 2 * 2 + 1] * scale);
                if (at.accumulate != 0)
                {
                    const float2 before = *place;
                    two = make_float2(two.x + before.x, two.y + before.y);
                }

                *place = two;
            }
        }
    }
}

// The next key block may add to what was visited, if anything. One warp waits until memory has what this block wrote; the warp
// barrier keeps the compiler from turning the branch into a wait of all warps.
DEVICE void pass_turn(const Arguments& at, int32 visited, int32 key_block)
{
    if (visited >= 0 && thread_index() / 32 == 1)
    {
        warp_barrier();
        if (thread_index() % 32 == 0)
        {
            store_release(at.turns + 1 + visited, key_block + 1);
        }
    }
}

// What a softcap makes of the gradients of scores: the factor 1 - tanh^2, with tanh from the probability under row statistics.
template <typename S>
DEVICE void uncap(float (&slope)[S::RowTiles][S::ScoreTiles][4], const float (&p)[S::RowTiles][S::ScoreTiles][4], const RowStats* row,
    float scale2)
{
    const float share = 1.0f / scale2;
#pragma unroll
    for (int i = 0; i < 2 * S::RowTiles; i++)
    {
        const float lse2 = row[8 * i].lse2;
#pragma unroll
        for (int n = 0; n < 2 * S::ScoreTiles; n++)
        {
            const float probability = p[i / 2][n / 2][i % 2 * 2 + n % 2];
            float& gradient = slope[i / 2][n / 2][i % 2 * 2 + n % 2];
            const float ratio = (log2_fast(probability) + lse2) * share;

            // Of hidden keys, and of probabilities too small for a number, the gradient is nothing already.
            gradient = probability > 0.0f ? gradient * fmaf(-ratio, ratio, 1.0f) : 0.0f;
        }
    }
}

template <typename S, bool Capped> DEVICE void flash_attention_backward(const Arguments& at)
{
    DYNAMIC_SHARED(shared);
    Place* const place = reinterpret_cast<Place*>(shared + S::PlaceOffset);
    if (thread_index() == 0)
    {
        const int32 ticket = draw_ticket(at.turns, gridDim.x - 1);
        place->key_block = at.segment_start / S::KeyRows + ticket / at.kv_heads;
        place->kv_head = ticket % at.kv_heads;
        place->first_query_block = max(0, place->key_block * S::KeyRows - at.row_offset) / S::QueryRows;
        place->query_blocks = (at.tokens + S::QueryRows - 1) / S::QueryRows;
        place->group = at.heads / at.kv_heads;
    }

    block_barrier();
    int32 block = 0;
    {
        const int32 key = place->key_block * S::KeyRows;
        const int32 keys = rows_from(at, key);
        const int32 stride = 2 * at.kv_heads * width<S>(at.head_dim);
        const bf16* kv = at.kv + (int64)(key - at.segment_start) * stride + place->kv_head * width<S>(at.head_dim);
        copy_rows<S, S::KeyRows>(shared, kv, stride, keys, at.head_dim);
        copy_rows<S, S::KeyRows>(shared + S::Values, kv + at.kv_heads * width<S>(at.head_dim), stride, keys, at.head_dim);
        block = (first_token_past(at.first_key, at.tokens, key + S::KeyRows) + S::QueryRows - 1) / S::QueryRows - 1;
    }

    int32 member = 0;
    if (block >= place->first_query_block)
    {
        copy_queries<S>(shared, at, block, place->kv_head * place->group, 0);
    }

    copy_async_commit();
    float dk[2][S::KeyTiles][4];
    float dv[2][S::KeyTiles][4];
    clear(dk);
    clear(dv);
    int32 released = -1;
    for (int32 stage = 0; block >= place->first_query_block; stage ^= 1)
    {
        const unsigned char* stats = shared + S::Stats0 + stage * S::StatsStage;
        const int32 queries = S::Queries0 + stage * S::QueryStage;
        const int32 gradients = S::Gradients0 + stage * S::QueryStage;

        copy_async_wait<0>();
        block_barrier();
        pass_turn(at, released, place->key_block);

        const int32 token = block * S::QueryRows;
        const int32 visited = (place->kv_head * place->group + member) * place->query_blocks + block;
        released = visited;
        member = member + 1 < place->group ? member + 1 : 0;
        block -= member == 0;
        if (block >= place->first_query_block)
        {
            copy_queries<S>(shared, at, block, place->kv_head * place->group + member, stage ^ 1);
        }

        copy_async_commit();
        const BlockBounds& bounds = *reinterpret_cast<const BlockBounds*>(stats + 8 * S::QueryRows);
        const bool first = bounds.first_of_first / S::KeyRows == place->key_block;
        float s[S::RowTiles][S::ScoreTiles][4];
        clear(s);
        multiply<false, false, S::HeadDim / 16, S::ScoreUnroll, S::RowBytes, S::RowBytes>(
            s, shared, queries + lane_offset_a<S::HeadDim>(score_row<S>(), 0), lane_offset_b<S::HeadDim>(score_column<S>(), 0));
        if (!first && thread_index() == 0)
        {
            wait_for(at.turns + 1 + visited, place->key_block);
        }

        warp_barrier();
        probabilities<S, Capped>(s, at, stats, token, place->key_block * S::KeyRows);
        store_scores<S>(shared + S::Probabilities, s);

        float slope[S::RowTiles][S::ScoreTiles][4];
        clear(slope);
        multiply<false, false, S::HeadDim / 16, S::ScoreUnroll, S::RowBytes, S::RowBytes>(slope, shared,
            gradients + lane_offset_a<S::HeadDim>(score_row<S>(), 0), S::Values + lane_offset_b<S::HeadDim>(score_column<S>(), 0));
        const RowStats* row = reinterpret_cast<const RowStats*>(stats) + lane_row<S>();
#pragma unroll
        for (int i = 0; i < 2 * S::RowTiles; i++)
        {
            const float delta = row[8 * i].delta;
#pragma unroll
            for (int n = 0; n < S::ScoreTiles; n++)
            {
                slope[i / 2][n][i % 2 * 2] = s[i / 2][n][i % 2 * 2] * (slope[i / 2][n][i % 2 * 2] - delta);
                slope[i / 2][n][i % 2 * 2 + 1] = s[i / 2][n][i % 2 * 2 + 1] * (slope[i / 2][n][i % 2 * 2 + 1] - delta);
            }
        }

        if constexpr (Capped)
        {
            uncap<S>(slope, s, row, at.scale2);
        }

        if constexpr (!S::SharedTile)
        {
            store_scores<S>(shared + S::Slopes, slope);
        }

        block_barrier();
        multiply<true, true, S::QueryRows / 16, 8, 2 * S::KeyRows, S::RowBytes>(dv, shared,
            S::Probabilities + lane_offset_b<S::KeyRows>(0, key_row<S>() / 8), gradients + lane_offset_a<S::HeadDim>(0, key_chunk<S>()));
        if constexpr (S::SharedTile)
        {
            block_barrier();
            store_scores<S>(shared + S::Slopes, slope);
            block_barrier();
        }

        // What earlier key blocks left is under way while dk is multiplied.
        float dq[S::RowTiles][S::QueryTiles][4];
        clear(dq);
        if (!first)
        {
            const float4* dq_sums = at.dq_sums + (int64)visited * (S::QueryRows * S::HeadDim / 4) + thread_index();
#pragma unroll
            for (int i = 0; i < S::RowTiles * S::QueryTiles; i++)
            {
                const float4 four = dq_sums[i * S::Threads];
                float(&sum)[4] = dq[i / S::QueryTiles][i % S::QueryTiles];
                sum[0] = four.x, sum[1] = four.y, sum[2] = four.z, sum[3] = four.w;
            }
        }

        multiply<true, true, S::QueryRows / 16, 8, 2 * S::KeyRows, S::RowBytes>(
            dk, shared, S::Slopes + lane_offset_b<S::KeyRows>(0, key_row<S>() / 8), queries + lane_offset_a<S::HeadDim>(0, key_chunk<S>()));
        multiply<false, true, S::KeyRows / 16, S::QueryUnroll, 2 * S::KeyRows, S::RowBytes>(
            dq, shared, S::Slopes + lane_offset_a<S::KeyRows>(score_row<S>(), 0), lane_offset_a<S::HeadDim>(0, query_chunk<S>()));
        float4* dq_sums = at.dq_sums + (int64)visited * (S::QueryRows * S::HeadDim / 4) + thread_index();
#pragma unroll
        for (int i = 0; i < S::RowTiles * S::QueryTiles; i++)
        {
            const float(&sum)[4] = dq[i / S::QueryTiles][i % S::QueryTiles];
            dq_sums[i * S::Threads] = make_float4(sum[0], sum[1], sum[2], sum[3]);
        }
    }

    // Whoever waits for the last query block may go on before dk and dv are written.
    copy_async_wait<0>();
    block_barrier();
    pass_turn(at, released, place->key_block);

    const int32 row = place->key_block * S::KeyRows + key_row<S>() + thread_index() % 32 / 4;
    const int32 stride = 2 * at.kv_heads * width<S>(at.head_dim);
    float* dkv = at.dkv + (int64)(row - at.segment_start) * stride + place->kv_head * width<S>(at.head_dim) + key_chunk<S>() * 8
        + thread_index() % 4 * 2;
    store_key_sums<S>(dkv, dk, at.scale, at, rows_from(at, row));
    store_key_sums<S>(dkv + at.kv_heads * width<S>(at.head_dim), dv, 1.0f, at, rows_from(at, row));
}

#define FLASH_ATTENTION_BACKWARD(variant, capped, columns, padded, query_rows, key_rows, warps, unroll)                                \
    extern "C" __global__ void __launch_bounds__(32 * warps, 1)                                                                        \
        flash_attention_backward_##variant(const bf16* q, const bf16* kv, const int32* first_key, const bf16* o_gradient, float* dkv,  \
            const RowStats* stats, const BlockBounds* bounds, uint32* turns, float* dq_sums, int32 tokens, int32 row_offset,           \
            int32 heads, int32 kv_heads, int32 segment_start, int32 segment_end, int32 accumulate, float scale, float scale2,          \
            float inner, int32 head_dim)                                                                                               \
    {                                                                                                                                  \
        flash_attention_backward<Shape<columns, padded, query_rows, key_rows, warps, unroll>, capped>({q, kv, first_key, o_gradient,   \
            dkv, stats, bounds, turns, reinterpret_cast<float4*>(dq_sums), tokens, row_offset, heads, kv_heads, segment_start,         \
            segment_end, accumulate, scale, scale2, inner, head_dim});                                                                 \
    }                                                                                                                                  \
    EXPORT_KERNEL(flash_attention_backward_##variant)
