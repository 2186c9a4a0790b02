// Rows of one matrix, by number, to or from those of another, as they are.
//
// gather_rows:  to[r] = from[rows[r]];  scatter_rows: to[rows[r]] = from[r], the numbers all different. rows [count] int32; a row is
// `packs` times 16 bytes, rows lie one behind the other.
//   grid ceil(count packs / 1,024); block 256; no dynamic shared memory.
#include "device.cuh"

template <bool Scatters> DEVICE void move_rows(const uint4* from, const int32* rows, uint4* to, int32 count, int32 packs)
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

extern "C" __global__ void __launch_bounds__(256) gather_rows(const uint4* from, const int32* rows, uint4* to, int32 count, int32 packs)
{
    move_rows<false>(from, rows, to, count, packs);
}
EXPORT_KERNEL(gather_rows)

extern "C" __global__ void __launch_bounds__(256) scatter_rows(const uint4* from, const int32* rows, uint4* to, int32 count, int32 packs)
{
    move_rows<true>(from, rows, to, count, packs);
}
EXPORT_KERNEL(scatter_rows)
