// The products of experts: rows lie one behind the other by expert, first [experts + 1] int32 says where each expert's begin. Which tile of
// rows is whose is looked up on the device: a launch has as many blocks as there may be tiles, and those without one end at once.
//
// grouped_gemm_<nt|nn>_<f32|bf16>[_unaligned]: c [rows, columns] (+)= scale a op(b), overwritten or added to; a [rows, depth]; an expert's
// b is [columns, depth] (nt) or [depth, columns] (nn), one expert behind the other. Rows of a and c may be parts of longer ones.
//   grid (ceil(columns / Tile), most tiles of rows), most = floor(rows / Tile) + experts; block 256; Tile is 64, or 128 where there are
//   tensor cores (bf16); no dynamic shared memory, or 32,768 bytes there.
// grouped_gemm_tn_<f32|bf16|bf16_f32>[_unaligned]: an expert's c [height, columns] (+)= scale a^T b over its rows, 0 where it has none
//   and nothing is added to; a [rows, height], b [rows, columns], whose rows may be parts of longer ones, c of their type or fp32.
//   grid (ceil(columns / Tile), ceil(height / Tile), experts); otherwise as above.
// Products are added in fp32 in ascending order of what is summed over, a row's sums do not depend on where in a tile it is; the result is
// rounded once. Rows start on 16 bytes, but for the entry points ending in _unaligned.
#include "device.cuh"

const int Threads = 256;
const int PlainTile = 64;
const int PlainDepth = 16;
const int Tile = 128;
const int Depth = 32;
const int TileBytes = Tile * Depth * 2;

// Rows of one expert, counted from the first of all.
struct Group
{
    int32 expert;
    int32 first;
    int32 rows;
};

// The expert of a tile of rows, and its rows; expert is -1 beyond the last tile. Called by all threads.
DEVICE Group group_of(const int32* first, int32 experts, int32 tile, int32 tile_rows)
{
    __shared__ int32 found[3];
    const int32 lane = threadIdx.x;
    if (lane == 0)
    {
        found[0] = -1;
    }

    if (lane < 32)
    {
        warp_barrier();
        uint32 before = 0;
        for (int32 base = 0; base < experts; base += 32)
        {
            const int32 e = base + lane;
            const int32 begin = e < experts ? first[e] : 0;
            const int32 rows = e < experts ? first[e + 1] - begin : 0;
            const uint32 tiles = (uint32)((rows + tile_rows - 1) / tile_rows);
            uint32 sum = tiles;
            for (int32 step = 1; step < 32; step *= 2)
            {
                const uint32 other = shuffle(sum, lane >= step ? lane - step : lane);
                sum += lane >= step ? other : 0;
            }

            const int32 at = tile - (int32)(before + sum - tiles);
            if (at >= 0 && at < (int32)tiles)
            {
                const int32 left = rows - at * tile_rows;
                found[0] = e;
                found[1] = begin + at * tile_rows;
                found[2] = left < tile_rows ? left : tile_rows;
            }

            before += shuffle(sum, 31);
        }
    }

    block_barrier();
    return Group{found[0], found[1], found[2]};
}

template <typename T> DEVICE void write(T* to, float value, bool adds)
{
    *to = from_float<T>(adds ? to_float(*to) + value : value);
}

// An operand of a tile's product: element (i, k), i along the tile's side, k along what is summed over; both from the tile's first on.
template <typename T> struct Side
{
    const T* data;
    int64 stride;   // elements from one stored row to the next
    bool sums_rows; // stored rows are k, else i
    int32 count;    // of i that there are
};

// Plain products, 4 x 4 sums a thread. ---------------------------------------------------------------------------------------------

template <typename T> DEVICE void load_plain(const Side<T>& side, int32 k, int32 depth, float (*to)[PlainTile + 1])
{
    for (int32 n = threadIdx.x; n < PlainTile * PlainDepth; n += Threads)
    {
        // Neighbouring threads read neighbours in memory.
        const int32 i = side.sums_rows ? n % PlainTile : n / PlainDepth;
        const int32 step = side.sums_rows ? n / PlainTile : n % PlainDepth;
        const bool there = i < side.count && k + step < depth;
        const int64 at = side.sums_rows ? (k + step) * side.stride + i : i * side.stride + k + step;
        to[step][i] = there ? to_float(side.data[at]) : 0.0f;
    }
}

template <typename T, typename C>
DEVICE void multiply_plain(const Side<T>& a, const Side<T>& b, int32 depth, C* c, int64 stride, float scale, bool adds)
{
    __shared__ float shared_a[PlainDepth][PlainTile + 1];
    __shared__ float shared_b[PlainDepth][PlainTile + 1];
    const int32 row = threadIdx.x / 16 * 4;
    const int32 column = threadIdx.x % 16 * 4;
    float sums[4][4] = {};
    for (int32 k = 0; k < depth; k += PlainDepth)
    {
        load_plain(a, k, depth, shared_a);
        load_plain(b, k, depth, shared_b);
        block_barrier();
        for (int32 step = 0; step < PlainDepth; step++)
        {
#pragma unroll
            for (int32 i = 0; i < 4; i++)
            {
#pragma unroll
                for (int32 j = 0; j < 4; j++)
                {
                    sums[i][j] = fmaf(shared_a[step][row + i], shared_b[step][column + j], sums[i][j]);
                }
            }
        }

        block_barrier();
    }

#pragma unroll
    for (int32 i = 0; i < 4; i++)
    {
#pragma unroll
        for (int32 j = 0; j < 4; j++)
        {
            if (row + i < a.count && column + j < b.count)
            {
                write(c + (row + i) * stride + column + j, scale * sums[i][j], adds);
            }
        }
    }
}

// Tensor cores: a warp has 32 x 64 of the tile. ------------------------------------------------------------------------------------

DEVICE int32 place_of(bool sums_rows, int32 row, int32 chunk)
{
    return sums_rows ? tile_offset<Tile>(row, chunk) : tile_offset<Depth>(row, chunk);
}

DEVICE void load_tile(const Side<bf16>& side, int32 k, int32 depth, unsigned char* to)
{
#pragma unroll
    for (int32 n = 0; n < 2; n++)
    {
        const int32 at = n * Threads + threadIdx.x;
        const int32 chunks = side.sums_rows ? Tile / 8 : Depth / 8;
        const int32 row = at / chunks;
        const int32 chunk = at % chunks;
        const bool there = side.sums_rows ? k + row < depth && chunk * 8 < side.count : row < side.count && k + chunk * 8 < depth;
        const int64 from = side.sums_rows ? (k + row) * side.stride + chunk * 8 : row * side.stride + k + chunk * 8;
        copy_async_16(to + place_of(side.sums_rows, row, chunk), side.data + (there ? from : 0), there);
    }
}

// 16 of the tile's side by 16 of the depth: registers 0 and 2 are the first eight of the side, 0 and 1 the first eight of the depth
// (where `side_first`, 1 and 2 change places).
DEVICE void load_fragment(uint32 (&r)[4], const unsigned char* tile, bool sums_rows, int32 i, int32 k, bool side_first)
{
    const int32 lane = threadIdx.x % 32;
    const int32 half = lane / 8 % 2 * 8;
    const int32 last = lane / 16 * 8;
    const int32 along = i + (side_first ? half : last) + (sums_rows ? 0 : lane % 8);
    const int32 deep = k + (side_first ? last : half) + (sums_rows ? lane % 8 : 0);
    if (sums_rows)
    {
        load_matrix_x4_transposed(r, tile + place_of(true, deep, along / 8));
    }
    else
    {
        load_matrix_x4(r, tile + place_of(false, along, deep / 8));
    }
}

template <bool SumsRowsOfA, bool SumsRowsOfB, typename C>
DEVICE void multiply_tensor(const Side<bf16>& a, const Side<bf16>& b, int32 depth, C* c, int64 stride, float scale, bool adds)
{
    DYNAMIC_SHARED(shared);
    const int32 warp = threadIdx.x / 32;
    const int32 lane = threadIdx.x % 32;
    const int32 row = warp / 2 * 32;
    const int32 column = warp % 2 * 64;
    float sums[2][8][4] = {};
    const int32 steps = (depth + Depth - 1) / Depth;
    load_tile(a, 0, depth, shared);
    load_tile(b, 0, depth, shared + TileBytes);
    copy_async_commit();
    for (int32 step = 0; step < steps; step++)
    {
        unsigned char* here = shared + step % 2 * 2 * TileBytes;
        unsigned char* next = shared + (step + 1) % 2 * 2 * TileBytes;
        if (step + 1 < steps)
        {
            load_tile(a, (step + 1) * Depth, depth, next);
            load_tile(b, (step + 1) * Depth, depth, next + TileBytes);
        }

        copy_async_commit();
        copy_async_wait<1>();
        block_barrier();
#pragma unroll
        for (int32 k = 0; k < Depth; k += 16)
        {
            uint32 of_a[2][4];
#pragma unroll
            for (int32 i = 0; i < 2; i++)
            {
                load_fragment(of_a[i], here, SumsRowsOfA, row + 16 * i, k, true);
            }

#pragma unroll
            for (int32 j = 0; j < 4; j++)
            {
                uint32 of_b[4];
                load_fragment(of_b, here + TileBytes, SumsRowsOfB, column + 16 * j, k, false);
#pragma unroll
                for (int32 i = 0; i < 2; i++)
                {
                    mma_16816(sums[i][2 * j], of_a[i], of_b[0], of_b[1]);
                    mma_16816(sums[i][2 * j + 1], of_a[i], of_b[2], of_b[3]);
                }
            }
        }

        block_barrier();
    }

    copy_async_wait<0>();
#pragma unroll
    for (int32 i = 0; i < 2; i++)
    {
#pragma unroll
        for (int32 j = 0; j < 8; j++)
        {
#pragma unroll
            for (int32 n = 0; n < 4; n++)
            {
                const int32 r = row + 16 * i + n / 2 * 8 + lane / 4;
                const int32 at = column + 8 * j + lane % 4 * 2 + n % 2;
                if (r < a.count && at < b.count)
                {
                    write(c + r * stride + at, scale * sums[i][j][n], adds);
                }
            }
        }
    }
}

// ----------------------------------------------------------------------------------------------------------------------------------

template <bool Tensor, bool SumsRowsOfA, bool SumsRowsOfB, typename T, typename C>
DEVICE void multiply(const Side<T>& a, const Side<T>& b, int32 depth, C* c, int64 stride, float scale, bool adds)
{
    if constexpr (Tensor)
    {
        multiply_tensor<SumsRowsOfA, SumsRowsOfB>(a, b, depth, c, stride, scale, adds);
    }
    else
    {
        multiply_plain(a, b, depth, c, stride, scale, adds);
    }
}

DEVICE int32 within(int32 first, int32 count, int32 most) { return count - first < most ? count - first : most; }

template <bool Tensor, bool SumsRowsOfB, typename T>
DEVICE void over_rows(const T* a, const T* b, const int32* first, T* c, int32 experts, int32 columns, int32 depth, int64 stride_a,
    int64 stride_c, float scale, int32 adds)
{
    const int32 tile = Tensor ? Tile : PlainTile;
    const Group group = group_of(first, experts, blockIdx.y, tile);
    if (group.expert < 0)
    {
        return;
    }

    const int32 column = blockIdx.x * tile;
    const int64 matrix = (int64)group.expert * columns * depth;
    const Side<T> of_a{a + group.first * stride_a, stride_a, false, group.rows};
    const Side<T> of_b{b + matrix + (SumsRowsOfB ? column : (int64)column * depth), SumsRowsOfB ? columns : depth, SumsRowsOfB,
        within(column, columns, tile)};
    multiply<Tensor, false, SumsRowsOfB>(of_a, of_b, depth, c + group.first * stride_c + column, stride_c, scale, adds != 0);
}

template <bool Tensor, typename T, typename C>
DEVICE void over_experts(const T* a, const T* b, const int32* first, C* c, int32 height, int32 columns, int64 stride_a, int64 stride_b,
    float scale, int32 adds)
{
    const int32 tile = Tensor ? Tile : PlainTile;
    const int32 row = blockIdx.y * tile;
    const int32 column = blockIdx.x * tile;
    const int32 begin = first[blockIdx.z];
    const int32 depth = first[blockIdx.z + 1] - begin;
    if (depth == 0 && adds != 0)
    {
        return;
    }

    const Side<T> of_a{a + begin * stride_a + row, stride_a, true, within(row, height, tile)};
    const Side<T> of_b{b + begin * stride_b + column, stride_b, true, within(column, columns, tile)};
    C* to = c + ((int64)blockIdx.z * height + row) * columns + column;
    multiply<Tensor, true, true>(of_a, of_b, depth, to, columns, scale, adds != 0);
}

#define OVER_ROWS(name, Tensor, SumsRowsOfB, T)                                                                                    \
    extern "C" __global__ void __launch_bounds__(256) name(const T* a, const T* b, const int32* first, T* c, int32 experts,        \
        int32 columns, int32 depth, int64 stride_a, int64 stride_c, float scale, int32 adds)                                       \
    {                                                                                                                              \
        over_rows<Tensor, SumsRowsOfB>(a, b, first, c, experts, columns, depth, stride_a, stride_c, scale, adds);                  \
    }                                                                                                                              \
    EXPORT_KERNEL(name)

OVER_ROWS(grouped_gemm_nt_f32, false, false, float)
OVER_ROWS(grouped_gemm_nt_bf16, true, false, bf16)
OVER_ROWS(grouped_gemm_nt_bf16_unaligned, false, false, bf16)
OVER_ROWS(grouped_gemm_nn_f32, false, true, float)
OVER_ROWS(grouped_gemm_nn_bf16, true, true, bf16)
OVER_ROWS(grouped_gemm_nn_bf16_unaligned, false, true, bf16)

#define OVER_EXPERTS(name, Tensor, T, C)                                                                                           \
    extern "C" __global__ void __launch_bounds__(256) name(const T* a, const T* b, const int32* first, C* c, int32 height,         \
        int32 columns, int64 stride_a, int64 stride_b, float scale, int32 adds)                                                    \
    {                                                                                                                              \
        over_experts<Tensor>(a, b, first, c, height, columns, stride_a, stride_b, scale, adds);                                    \
    }                                                                                                                              \
    EXPORT_KERNEL(name)

OVER_EXPERTS(grouped_gemm_tn_f32, false, float, float)
OVER_EXPERTS(grouped_gemm_tn_bf16, true, bf16, bf16)
OVER_EXPERTS(grouped_gemm_tn_bf16_f32, true, bf16, float)
OVER_EXPERTS(grouped_gemm_tn_bf16_unaligned, false, bf16, bf16)
OVER_EXPERTS(grouped_gemm_tn_bf16_f32_unaligned, false, bf16, float)
