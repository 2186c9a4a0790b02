// Rows of one matrix, by number, to or from those of another, as they are.
//
// gather_rows:  to[r] = from[rows[r]];  scatter_rows: to[rows[r]] = from[r], the numbers all different. rows [count] int32; a row is
// `packs` times 16 bytes, of the entry points ending in _unaligned 2 bytes; rows lie one behind the other.
//   grid ceil(count packs / 1,024); block 256; no dynamic shared memory.
#include "device.cuh"

template <bool Scatters, typename T> DEVICE void move_rows(const T* from, const int32* rows, T* to, int32 count, int32 packs)
{
    const int64 first = (int64)blockIdx.x * 1024 + threadIdx.x;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        const int64 at = first + i * 256;
        if (at < (int64)count * packs)
        {
            const int64 named = (int64)rows[at / packs] * packs + at % packs;
            to[Scatters ? named : at] = from[Scatters ? at : named];
        }
    }
}

#define MOVE_ROWS(name, Scatters, T)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256) name(const T* from, const int32* rows, T* to, int32 count, int32 packs) \
    {                                                                                                                         \
        move_rows<Scatters>(from, rows, to, count, packs);                                                                    \
    }                                                                                                                         \
    EXPORT_KERNEL(name)

MOVE_ROWS(gather_rows, false, uint4)
MOVE_ROWS(scatter_rows, true, uint4)
MOVE_ROWS(gather_rows_unaligned, false, uint16)
MOVE_ROWS(scatter_rows_unaligned, true, uint16)
