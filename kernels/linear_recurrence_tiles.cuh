// Products of small matrices by a block of threads, a tile of 64 x 64 numbers at a time, summed in fp32.
//
// In fp32 by fused multiply-adds. Where activations are bf16, on tensor cores: each factor is then the sum of two bf16, what it rounds to
// and what that leaves, which keeps 16 of the 24 bits, and a product is the three products of them that count; the fourth is below what
// they leave. What a state takes in and gives is that good, as the library that states are published with has it in fp32.
#pragma once

#include "device.cuh"

const int Rows = 64;     // of a tile, and tokens of a block
const int Threads = 256; // each with 16 numbers of a tile

// The index of a factor by which its numbers lie next to each other in memory: the one that is summed over, or the other.
enum class Along
{
    Depth,
    Across
};

// How a block of threads multiplies: what of both factors lies in shared memory, and where a thread's numbers are in a tile.
template <typename T> struct Tiles
{
    static const int Depth = 16;  // of a slab
    static const int Solved = 64; // rows of a triangular system that are solved one by one
    static const int Parts = 1;   // of a row, each with a sum of its own
    static const int RowsOfThread = 4;
    static const int RowStep = 4; // from a thread's number to the next that is of another row

    struct Slabs
    {
        float a[Depth][Rows];
        float b[Depth][Rows];
    };

    // 16 x 16 threads, each with 4 rows and 4 columns.
    static __device__ int32 row(int32 i) { return threadIdx.x / 16 * 4 + i / 4; }
    static __device__ int32 column(int32 i) { return threadIdx.x % 16 * 4 + i % 4; }
    static __device__ int32 row_of_thread(int32 i) { return i / 4; }
    static __device__ int32 part() { return 0; }
    static __device__ bool sums_part() { return threadIdx.x % 16 == 0; }
};

template <> struct Tiles<bf16>
{
    static const int Depth = 32;
    static const int Solved = 16;
    static const int Parts = 2;
    static const int RowsOfThread = 2;
    static const int RowStep = 2;

    // Rows end in 16 bytes that are not used, so that 8 of them lie in different banks.
    static const int DepthStride = Depth + 8, AcrossStride = Rows + 8;

    struct __align__(16) Factor
    {
        bf16 high[Rows * DepthStride]; // [Rows, Depth] or [Depth, Rows], as they lie in memory
        bf16 low[Rows * DepthStride];
    };

    struct Slabs
    {
        Factor a;
        Factor b;
    };

    // 4 x 2 warps, each with 16 rows and 32 columns, as mma_16816 has them: 4 numbers of each 8 columns.
    static __device__ int32 row(int32 i) { return threadIdx.x / 64 * 16 + i % 4 / 2 * 8 + threadIdx.x % 32 / 4; }
    static __device__ int32 column(int32 i) { return threadIdx.x / 32 % 2 * 32 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2; }
    static __device__ int32 row_of_thread(int32 i) { return i % 4 / 2; }
    static __device__ int32 part() { return threadIdx.x / 32 % 2; }
    static __device__ bool sums_part() { return threadIdx.x % 4 == 0; }
};

// A thread's 16 numbers of a tile; number i is v[i / 4][i % 4].
struct Tile
{
    float v[4][4];
};

DEVICE void clear(Tile& tile)
{
#pragma unroll
    for (int32 i = 0; i < 16; i++)
    {
        tile.v[i / 4][i % 4] = 0;
    }
}

// A slab of both factors, multiplied.
DEVICE void multiply_slab(Tile& tile, const Tiles<float>::Slabs& shared)
{
#pragma unroll
    for (int32 k = 0; k < Tiles<float>::Depth; k++)
    {
        float left[4], right[4];
#pragma unroll
        for (int32 i = 0; i < 4; i++)
        {
            left[i] = shared.a[k][Tiles<float>::row(4 * i)];
            right[i] = shared.b[k][Tiles<float>::column(i)];
        }

#pragma unroll
        for (int32 i = 0; i < 16; i++)
        {
            tile.v[i / 4][i % 4] = fmaf(left[i / 4], right[i % 4], tile.v[i / 4][i % 4]);
        }
    }
}

template <Along OfA, Along OfB, typename A, typename B>
DEVICE void multiply(Tile& tile, int32 depth, Tiles<float>::Slabs& shared, const A& a, const B& b)
{
    const int Depth = Tiles<float>::Depth;
    for (int32 first = 0; first < depth; first += Depth)
    {
        block_barrier();
#pragma unroll
        for (int32 i = 0; i < Depth * Rows / Threads; i++)
        {
            const int32 at = threadIdx.x + i * Threads;
            const int32 k = at / Rows, lane = at % Rows;
            shared.a[k][lane] = first + k < depth ? a(lane, first + k) : 0.0f;
            shared.b[k][lane] = first + k < depth ? b(first + k, lane) : 0.0f;
        }

        block_barrier();
        multiply_slab(tile, shared);
    }
}

// What of a factor lies in a slab: each(across, k) for pairs of neighbours in memory, 0 from `depth` on.
template <Along Of, typename Each> DEVICE void load_factor(Tiles<bf16>::Factor& to, int32 first, int32 depth, const Each& each)
{
    using Of16 = Tiles<bf16>;
    const bool by_depth = Of == Along::Depth;
    const int pairs = (by_depth ? Of16::Depth : Rows) / 2;
#pragma unroll
    for (int32 i = 0; i < Of16::Depth * Rows / 2 / Threads; i++)
    {
        const int32 at = threadIdx.x + i * Threads;
        const int32 outer = at / pairs, inner = at % pairs * 2;
        const int32 k = first + (by_depth ? inner : outer), across = by_depth ? outer : inner;
        const float x = k < depth ? each(across, k) : 0.0f;
        const float y = k + (by_depth ? 1 : 0) < depth ? each(across + (by_depth ? 0 : 1), k + (by_depth ? 1 : 0)) : 0.0f;
        const int32 place = outer * (by_depth ? Of16::DepthStride : Of16::AcrossStride) + inner;
        const uint32 high = pack_bf16(x, y);
        *reinterpret_cast<uint32*>(to.high + place) = high;
        *reinterpret_cast<uint32*>(to.low + place) = pack_bf16(x - bits_to_float(high << 16), y - bits_to_float(high & 0xffff0000u));
    }
}

// 16 x 16 of a factor, from `across` and `k` on, as mma_16816 takes it for a, or for two of b.
template <Along Of, bool IsA> DEVICE void load_operand(uint32 (&operand)[4], const bf16* from, int32 across, int32 k)
{
    using Of16 = Tiles<bf16>;
    const int32 lane = threadIdx.x % 32;
    const bool by_depth = Of == Along::Depth;
    const bool rows_first = IsA == by_depth; // matrices 1 and 2 of the four: next rows in memory, or next 16 bytes of them
    const int32 outer = (by_depth ? across : k) + (rows_first ? lane % 16 : lane / 16 * 8 + lane % 8);
    const int32 inner = (by_depth ? k : across) + (rows_first ? lane / 16 : lane / 8 % 2) * 8;
    const bf16* row = from + outer * (by_depth ? Of16::DepthStride : Of16::AcrossStride) + inner;
    if (by_depth)
    {
        load_matrix_x4(operand, row);
    }
    else
    {
        load_matrix_x4_transposed(operand, row);
    }
}

DEVICE void multiply_operands(Tile& tile, int32 pair, const uint32 (&a)[4], const uint32 (&b)[4])
{
#pragma unroll
    for (int32 n = 0; n < 2; n++)
    {
        mma_16816(tile.v[2 * pair + n], a, b[2 * n], b[2 * n + 1]);
    }
}

template <Along OfA, Along OfB, typename A, typename B>
DEVICE void multiply(Tile& tile, int32 depth, Tiles<bf16>::Slabs& shared, const A& a, const B& b)
{
    const int32 row = threadIdx.x / 64 * 16, column = threadIdx.x / 32 % 2 * 32;
    for (int32 first = 0; first < depth; first += Tiles<bf16>::Depth)
    {
        block_barrier();
        load_factor<OfA>(shared.a, first, depth, a);
        load_factor<OfB>(shared.b, first, depth, [&](int32 lane, int32 k) { return b(k, lane); });
        block_barrier();
        const int32 steps = depth - first <= 16 ? 1 : 2;
#pragma unroll 1
        for (int32 k = 0; k < 16 * steps; k += 16)
        {
            uint32 high[4], low[4];
            load_operand<OfA, true>(high, shared.a.high, row, k);
            load_operand<OfA, true>(low, shared.a.low, row, k);
#pragma unroll
            for (int32 pair = 0; pair < 2; pair++)
            {
                uint32 high_b[4], low_b[4];
                load_operand<OfB, false>(high_b, shared.b.high, column + 16 * pair, k);
                load_operand<OfB, false>(low_b, shared.b.low, column + 16 * pair, k);
                multiply_operands(tile, pair, low, high_b);
                multiply_operands(tile, pair, high, low_b);
                multiply_operands(tile, pair, high, high_b);
            }
        }
    }
}

// Calls each(row, column, number) for all of a tile.
template <typename T, typename Each> DEVICE void for_tile(const Tile& tile, const Each& each)
{
#pragma unroll
    for (int32 i = 0; i < 16; i++)
    {
        each(Tiles<T>::row(i), Tiles<T>::column(i), tile.v[i / 4][i % 4]);
    }
}

// Over the threads that have a row's columns of a part.
template <typename T> DEVICE float row_sum(float value)
{
#pragma unroll
    for (int mask = Tiles<T>::Parts == 1 ? 8 : 2; mask > 0; mask >>= 1)
    {
        value += shuffle_xor(value, mask);
    }

    return value;
}
