// What the forward of flash attention works on: its shapes, tiles in shared memory, and products of them.
#pragma once

#include "flash_attention_rows.cuh"

// Running maximum before the first key, and the score of a hidden key: its exponential is 0 under any maximum, and where all are
// hidden nothing changes.
const float NoMaximum = -1e30f;
const float Hidden = -2e30f;

// Of heads of `Dim` columns or, padded, of any even number up to that.
template <int Dim, bool AnyWidth> struct Shape
{
    static const int HeadDim = Dim;
    static const bool Padded = AnyWidth;
    static const int Threads = 128;
    static const int RowTiles = Dim > 128 ? 1 : 2; // of 16 rows, a warp's
    static const int Rows = 16 * RowTiles;
    static const int QueryRows = Threads / 32 * Rows;
    static const int KeyRows = Dim > 128 ? 32 : 64;
    static const int RowBytes = 2 * HeadDim;
    static const int TileBytes = KeyRows * RowBytes; // of K or V
    static const int StateFours = RowTiles * (HeadDim / 8 + 1); // a thread's
};

// Makes scores of products: score = scale s, with scale2 = log2(e) scale for powers of two. Where they are softcapped s is first made
// tanh(inner s / (2 log2(e))), and scale is the cap.
struct Scores
{
    float scale, scale2, inner;
};

// The part of the window that a launch handles.
struct Segment
{
    float4* state;
    int32 start, end;
    bool first, last;

    // The calling thread's.
    template <typename S> __device__ float4* state_of(int32 block, int32 head, int32 heads) const
    {
        return state + ((int64)block * heads + head) * S::StateFours * S::Threads + thread_index();
    }
};

// A tile of keys or values, `from` being its first element, of which nothing from its row `rows` on is read.
template <typename S> DEVICE void copy_keys(unsigned char* tile, const bf16* from, int32 stride, int32 rows, int32 head_dim)
{
    if (rows > 0)
    {
        copy_rows<S, S::KeyRows>(tile, from, stride, rows, head_dim);
    }

    copy_async_commit();
}

// What a warp needs now and then. It lies in shared memory because registers are short.
struct __align__(16) WarpRows
{
    int32 some_first, some_last; // window rows to which at least one of its tokens attends
    int32 all_first, all_last;   // and to which all of them attend
    int32 token;                 // its first
    int32 head;
    int32 block;
    int32 kv_column; // of its keys
    int32 kv_start;  // window row of kv's first
};

template <typename S> DEVICE WarpRows* warp_rows(unsigned char* shared)
{
    return reinterpret_cast<WarpRows*>(shared + S::QueryRows * S::RowBytes + 3 * S::TileBytes) + thread_index() / 32;
}

// s = q k^T: the warp's rows of q and all of the tile's keys. Operands are loaded one step before they are multiplied.
template <typename S>
DEVICE void multiply_keys(float (&s)[S::RowTiles][S::KeyRows / 8][4], const unsigned char* q, const unsigned char* k)
{
    const int row_bytes = S::RowBytes;
    const int tiles = S::KeyRows / 16;
    uint32 a[S::RowTiles][4];
    uint32 b[2][4];
    const int32 lane = thread_index() % 32;
    const int32 q_offset = tile_offset<S::HeadDim>(thread_index() / 32 * S::Rows + lane % 16, lane / 16);
    const int32 k_offset = tile_offset<S::HeadDim>(lane / 16 * 8 + lane % 8, lane / 8 % 2);
#pragma unroll
    for (int m = 0; m < S::RowTiles; m++)
    {
        load_matrix_x4(a[m], q + q_offset + m * 16 * row_bytes);
    }

    load_matrix_x4(b[0], k + k_offset);
#pragma unroll
    for (int m = 0; m < S::RowTiles; m++)
    {
#pragma unroll
        for (int n = 0; n < 2 * tiles; n++)
        {
            s[m][n][0] = s[m][n][1] = s[m][n][2] = s[m][n][3] = 0.0f;
        }
    }

#pragma unroll
    for (int step = 0; step < S::HeadDim / 16 * tiles; step++)
    {
        const int n = step % tiles;
        const int next_d = (step + 1) / tiles;
        if (next_d < S::HeadDim / 16)
        {
            load_matrix_x4(b[(step + 1) % 2], k + tile_right(k_offset, next_d) + (step + 1) % tiles * 16 * row_bytes);
        }

#pragma unroll
        for (int m = 0; m < S::RowTiles; m++)
        {
            mma_16816(s[m][2 * n], a[m], b[step % 2][0], b[step % 2][1]);
            mma_16816(s[m][2 * n + 1], a[m], b[step % 2][2], b[step % 2][3]);
            if (n == tiles - 1 && next_d < S::HeadDim / 16)
            {
                load_matrix_x4(a[m], q + tile_right(q_offset, next_d) + m * 16 * row_bytes);
            }
        }
    }
}

// o += p v, p from the accumulators of s.
template <typename S>
DEVICE void multiply_values(
    float (&o)[S::RowTiles][S::HeadDim / 8][4], const float (&p)[S::RowTiles][S::KeyRows / 8][4], const unsigned char* v)
{
    const int tiles = S::HeadDim / 16;
    uint32 a[S::RowTiles][4] = {}; // (set at every first n: some compilers do not see it)
    uint32 b[2][4];
    const int32 lane = thread_index() % 32;
    const int32 v_offset = tile_offset<S::HeadDim>(lane % 16, lane / 16);
    load_matrix_x4_transposed(b[0], v + v_offset);
#pragma unroll
    for (int step = 0; step < S::KeyRows / 16 * tiles; step++)
    {
        const int key = step / tiles;
        const int n = step % tiles;
        const int next_key = (step + 1) / tiles;
        if (next_key < S::KeyRows / 16)
        {
            load_matrix_x4_transposed(
                b[(step + 1) % 2], v + tile_right(v_offset, (step + 1) % tiles) + next_key * 16 * S::RowBytes);
        }

#pragma unroll
        for (int m = 0; m < S::RowTiles; m++)
        {
            if (n == 0)
            {
                a[m][0] = pack_bf16(p[m][2 * key][0], p[m][2 * key][1]);
                a[m][1] = pack_bf16(p[m][2 * key][2], p[m][2 * key][3]);
                a[m][2] = pack_bf16(p[m][2 * key + 1][0], p[m][2 * key + 1][1]);
                a[m][3] = pack_bf16(p[m][2 * key + 1][2], p[m][2 * key + 1][3]);
            }

            mma_16816(o[m][2 * n], a[m], b[step % 2][0], b[step % 2][1]);
            mma_16816(o[m][2 * n + 1], a[m], b[step % 2][2], b[step % 2][3]);
        }
    }
}
