// What the backward of flash attention works on: its shapes and arguments, tiles in shared memory, and products of them.
#pragma once

#include "flash_attention_rows.cuh"

// Of heads of `Dim` columns or, padded, of any even number up to that. A warp's tiles are 32 rows high, those of S and dq 16 where heads
// are wider than 128: else fewer warps would hold the sums of dK and dV than have the registers for them.
template <int Dim, bool AnyWidth, int Queries, int Keys, int WarpCount, int Unroll> struct Shape
{
    static const int HeadDim = Dim;
    static const bool Padded = AnyWidth;
    static const int QueryRows = Queries;
    static const int KeyRows = Keys;
    static const int Warps = WarpCount;
    static const int Threads = 32 * Warps;
    static const int ScoreUnroll = Unroll;
    static const int QueryUnroll = Dim > 128 && Keys < 64 ? 1 : 8;

    // Warps side by side, and how many 8-column tiles each has, of S, of dK and dV, and of dq; those of S and dq have tiles of 16 rows.
    static const int RowTiles = Dim > 128 ? 1 : 2;
    static const int ScoreColumns = Warps / (QueryRows / (16 * RowTiles));
    static const int ScoreTiles = KeyRows / 8 / ScoreColumns;
    static const int KeyColumns = Warps / (KeyRows / 32);
    static const int KeyTiles = HeadDim / 8 / KeyColumns;
    static const int QueryColumns = ScoreColumns;
    static const int QueryTiles = HeadDim / 8 / QueryColumns;

    // Offsets in shared memory. Two stages of what belongs to a query block.
    static const int RowBytes = 2 * HeadDim;
    static const int Values = KeyRows * RowBytes;
    static const int Queries0 = 2 * Values;
    static const int QueryStage = QueryRows * RowBytes;
    static const int Gradients0 = Queries0 + 2 * QueryStage;
    static const int Probabilities = Gradients0 + 2 * QueryStage;
    static const bool SharedTile = Dim > 128 && Keys < 64; // dS takes the place of P: two more barriers, and it fits
    static const int Slopes = Probabilities + (SharedTile ? 0 : 2 * QueryRows * KeyRows);
    static const int Stats0 = Slopes + 2 * QueryRows * KeyRows;
    static const int StatsStage = 8 * QueryRows + 16;
    static const int PlaceOffset = Stats0 + 2 * StatsStage;
};

// The rows of a query block: log2(e) lse (infinite beyond the chunk, so that P is zero there) and delta of each, and the first
// keys of its first and last one.
struct RowStats
{
    float lse2, delta;
};

struct __align__(16) BlockBounds
{
    int32 first_of_first, first_of_last, unused[2];
};

// What a block works on. It lies in shared memory because registers are short.
struct __align__(16) Place
{
    int32 key_block, kv_head;
    int32 first_query_block, query_blocks;
    int32 group;
};

struct Arguments
{
    const bf16* q;
    const bf16* kv;
    const int32* first_key;
    const bf16* o_gradient;
    float* dkv;
    const RowStats* stats;
    const BlockBounds* bounds;
    uint32* turns;
    float4* dq_sums;
    int32 tokens, row_offset, heads, kv_heads, segment_start, segment_end, accumulate;
    float scale, scale2, inner;
    int32 head_dim;
};

// A lane's row for load_matrix: of an operand that lies as the product wants it (a row-major, b column-major) or transposed.
template <int Columns> DEVICE int32 lane_offset_a(int32 row, int32 chunk)
{
    const uint32 lane = thread_index() % 32;
    return tile_offset<Columns>(row + lane % 16, chunk + lane / 16);
}

template <int Columns> DEVICE int32 lane_offset_b(int32 row, int32 chunk)
{
    const uint32 lane = thread_index() % 32;
    return tile_offset<Columns>(row + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2);
}

// 16 x 16 of an operand: `across` of them along a's rows or b's columns, k along what is summed over.
template <bool Transposed, int RowBytes>
DEVICE void load(uint32 (&operand)[4], const unsigned char* shared, int32 offset, int across, int k)
{
    if (Transposed)
    {
        load_matrix_x4_transposed(operand, shared + tile_right(offset, across) + k * 16 * RowBytes);
    }
    else
    {
        load_matrix_x4(operand, shared + tile_right(offset, k) + across * 16 * RowBytes);
    }
}

// sum += a b over 16 Depth columns of a, operands at the lane's offsets in shared memory, loaded a step before they are needed.
// Unroll: the compiler loads what it can ahead of time, which in longer straight lines takes more registers than there are.
template <bool TransposedA, bool TransposedB, int Depth, int Unroll, int RowBytesA, int RowBytesB, int RowTiles, int Tiles>
DEVICE void multiply(float (&sum)[RowTiles][Tiles][4], const unsigned char* shared, int32 offset_a, int32 offset_b)
{
    const int pairs = Tiles / 2;
    uint32 a[RowTiles][4];
    uint32 b[2][4];
#pragma unroll
    for (int m = 0; m < RowTiles; m++)
    {
        load<TransposedA, RowBytesA>(a[m], shared, offset_a, m, 0);
    }

    load<TransposedB, RowBytesB>(b[0], shared, offset_b, 0, 0);
#pragma unroll Unroll
    for (int k = 0; k < Depth; k++)
    {
#pragma unroll
        for (int n = 0; n < pairs; n++)
        {
            const int step = pairs % 2 == 0 ? n : k;
            if (n + 1 < pairs || k + 1 < Depth)
            {
                load<TransposedB, RowBytesB>(b[(step + 1) % 2], shared, offset_b, (n + 1) % pairs, k + (n + 1) / pairs);
            }

#pragma unroll
            for (int m = 0; m < RowTiles; m++)
            {
                mma_16816(sum[m][2 * n], a[m], b[step % 2][0], b[step % 2][1]);
                mma_16816(sum[m][2 * n + 1], a[m], b[step % 2][2], b[step % 2][3]);
                if (n == pairs - 1 && k + 1 < Depth)
                {
                    load<TransposedA, RowBytesA>(a[m], shared, offset_a, m, k + 1);
                }
            }
        }
    }
}

template <int RowTiles, int Tiles> DEVICE void clear(float (&sum)[RowTiles][Tiles][4])
{
#pragma unroll
    for (int i = 0; i < 4 * RowTiles * Tiles; i++)
    {
        sum[i / (4 * Tiles)][i / 4 % Tiles][i % 4] = 0.0f;
    }
}

// Rows of the segment and of the chunk's part of the window from row `key` on.
DEVICE int32 rows_from(const Arguments& at, int32 key) { return min(at.segment_end, at.row_offset + at.tokens) - key; }

// Everything that belongs to a query block and a head.
template <typename S> DEVICE void copy_queries(unsigned char* shared, const Arguments& at, int32 block, int32 head, int32 stage)
{
    const int32 token = block * S::QueryRows;
    const int32 stride = at.heads * width<S>(at.head_dim);
    const int64 first = (int64)token * stride + head * width<S>(at.head_dim);
    const int32 rows_left = at.tokens - token;
    copy_rows<S, S::QueryRows>(shared + S::Queries0 + stage * S::QueryStage, at.q + first, stride, rows_left, at.head_dim);
    copy_rows<S, S::QueryRows>(shared + S::Gradients0 + stage * S::QueryStage, at.o_gradient + first, stride, rows_left, at.head_dim);
    const uint32 thread = thread_index();
    unsigned char* stats = shared + S::Stats0 + stage * S::StatsStage;
    const int64 rows = ((int64)head * reinterpret_cast<const Place*>(shared + S::PlaceOffset)->query_blocks + block) * S::QueryRows;
    if (thread < S::QueryRows / 2)
    {
        copy_async_16(stats + thread * 16, at.stats + rows + 2 * thread, true);
    }
    else if (thread == S::QueryRows / 2)
    {
        copy_async_16(stats + 8 * S::QueryRows, at.bounds + block, true);
    }
}
