// y = x / (1 - rate) where a number is kept and 0 where it is not, or y += that.
//
// dropout_<f32|bf16>: x, y [rows, columns]. Column 8 q + i of row r is kept where 16 bits of Philox4x32-10 are at least rate 2^16: the
//   i-th half word of the output of (seed; first_row + r, q, step, module). Rows are counted over the step, so that chunks play no part;
//   the high bit of module is set, which no counter of stochastic rounding has. The product in fp32, added to y where adds is not 0,
//   rounded once. grid ceil(rows ceil(columns / 8) / 256); block 256.
#include "philox.cuh"

template <typename T>
DEVICE void dropout(
    const T* x, T* y, const StepBlock* step, int64 first_row, int32 rows, int32 columns, uint32 module, uint32 threshold, float scale,
    int32 adds)
{
    const int64 octets = (columns + 7) / 8;
    const int64 index = (int64)blockIdx.x * 256 + threadIdx.x;
    if (index >= rows * octets)
    {
        return;
    }

    const int64 row = index / octets;
    const int32 octet = (int32)(index % octets);
    const uint4 random = philox(make_uint4((uint32)(first_row + row), (uint32)octet, (uint32)step->step, module), step->seed);
    const uint32 words[4] = {random.x, random.y, random.z, random.w};
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        const int32 column = octet * 8 + i;
        if (column < columns)
        {
            const uint32 bits = i % 2 == 0 ? words[i / 2] & 0xffffu : words[i / 2] >> 16;
            const int64 at = row * columns + column;
            const float kept = bits >= threshold ? to_float(x[at]) * scale : 0.0f;
            y[at] = from_float<T>(adds != 0 ? to_float(y[at]) + kept : kept);
        }
    }
}

#define DROPOUT(name, T)                                                                                                               \
    extern "C" __global__ void __launch_bounds__(256) name(                                                                            \
        const T* x, T* y, const StepBlock* step, int64 first_row, int32 rows, int32 columns, uint32 module, uint32 threshold,          \
        float scale, int32 adds)                                                                                                       \
    {                                                                                                                                  \
        dropout(x, y, step, first_row, rows, columns, module, threshold, scale, adds);                                                 \
    }                                                                                                                                  \
    EXPORT_KERNEL(name)

DROPOUT(dropout_f32, float)
DROPOUT(dropout_bf16, bf16)
