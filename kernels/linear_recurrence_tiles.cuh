// Products of small matrices by a block of threads, a tile of 64 x 64 numbers at a time, in fp32.
#pragma once

#include "device.cuh"

const int Rows = 64;      // of a tile, and tokens of a block
const int Threads = 256;  // 16 x 16, each with 4 x 4 numbers of a tile
const int Depth = 16;     // of a slab of a product

// What of both factors lies in shared memory.
struct Slabs
{
    float a[Depth][Rows];
    float b[Depth][Rows];
};

// A tile of 64 x 64: thread (x, y) has rows 4 y.. and columns 4 x.. of it.
struct Tile
{
    float v[4][4];
};

DEVICE int32 tile_row(int32 r) { return threadIdx.x / 16 * 4 + r; }

DEVICE int32 tile_column(int32 c) { return threadIdx.x % 16 * 4 + c; }

DEVICE void clear(Tile& tile)
{
#pragma unroll
    for (int32 i = 0; i < 16; i++)
    {
        tile.v[i / 4][i % 4] = 0;
    }
}

// tile += the sum over k < depth of a(row, k) b(k, column), ascending; the functions give 0 outside of what there is.
template <typename A, typename B> DEVICE void multiply(Tile& tile, int32 depth, Slabs& shared, const A& a, const B& b)
{
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
#pragma unroll
        for (int32 k = 0; k < Depth; k++)
        {
            float left[4], right[4];
#pragma unroll
            for (int32 i = 0; i < 4; i++)
            {
                left[i] = shared.a[k][tile_row(i)];
                right[i] = shared.b[k][tile_column(i)];
            }

#pragma unroll
            for (int32 i = 0; i < 16; i++)
            {
                tile.v[i / 4][i % 4] = fmaf(left[i / 4], right[i % 4], tile.v[i / 4][i % 4]);
            }
        }
    }
}

// Calls each(row, column, number) for all of a tile.
template <typename Each> DEVICE void for_tile(const Tile& tile, const Each& each)
{
#pragma unroll
    for (int32 i = 0; i < 16; i++)
    {
        each(tile_row(i / 4), tile_column(i % 4), tile.v[i / 4][i % 4]);
    }
}

// Over the 16 threads that have a row's columns.
DEVICE float row_sum(float value)
{
#pragma unroll
    for (int mask = 8; mask > 0; mask >>= 1)
    {
        value += shuffle_xor(value, mask);
    }

    return value;
}
