// How rows of heads go between global memory and the tiles of flash_attention_*.cu. Tiles are 64, 128 or 256 columns wide; of a padded
// shape S a head has any even number of columns up to that, and tiles hold zeros beyond, which add nothing to any product.
#pragma once

#include "device.cuh"

// A head's columns: what the compiler knows, where it does.
template <typename S> DEVICE int32 width(int32 head_dim)
{
    if constexpr (S::Padded)
    {
        return head_dim;
    }

    return S::HeadDim;
}

// Rows down from an offset in a tile, a multiple of 4 of them; only where all are multiples of 8 are chunks permuted alike.
template <typename S> DEVICE int32 row_down(int32 offset, int32 rows) { return (offset ^ ((rows & 4) << 4)) + rows * S::RowBytes; }

// Copies rows of a head into a tile, those from `valid` on as zeros.
template <typename S, int Rows>
DEVICE void copy_rows(unsigned char* tile, const bf16* from, int32 stride, int32 valid, int32 head_dim)
{
    const int chunks = S::HeadDim / 8;
    const int step = S::Threads / chunks;
    const uint32 thread = thread_index();
    const int32 to = tile_offset<S::HeadDim>(thread / chunks, thread % chunks);
    from += thread / chunks * stride + thread % chunks * 8;
    valid -= thread / chunks;
    if constexpr (S::Padded)
    {
        // Of columns that are no multiple of 8, rows start anywhere on 4 bytes.
        const int32 columns = head_dim - (int32)(thread % chunks * 8);
        if (head_dim % 8 != 0)
        {
#pragma unroll 1
            for (int row = 0; row < Rows; row += step)
            {
#pragma unroll
                for (int column = 0; column < 8; column += 2)
                {
                    copy_async_4(tile + row_down<S>(to, row) + 2 * column, from + column, row < valid && column < columns);
                }

                from += step * stride;
            }

            return;
        }

        valid = columns > 0 ? valid : 0;
    }

#pragma unroll
    for (int row = 0; row < Rows; row += step)
    {
        copy_async_16(tile + row_down<S>(to, row), from, row < valid);
        from += step * stride;
    }
}

// 8 columns of a row from a tile, those from `columns` on left out.
template <typename S> DEVICE void store_chunk(bf16* to, const unsigned char* from, int32 columns, int32 head_dim)
{
    if constexpr (S::Padded)
    {
        if (head_dim % 8 != 0 || columns <= 0)
        {
#pragma unroll
            for (int i = 0; i < 4; i++)
            {
                if (2 * i < columns)
                {
                    reinterpret_cast<uint32*>(to)[i] = reinterpret_cast<const uint32*>(from)[i];
                }
            }

            return;
        }
    }

    *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
}
