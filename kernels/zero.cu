// Zeros a range of memory.
//
// zero_bytes: data [bytes], overwritten. bytes a multiple of 16.
//   grid ceil(bytes / 16,384); block 256; no dynamic shared memory.
#include "device.cuh"

extern "C" __global__ void __launch_bounds__(256) zero_bytes(uint4* data, int64 bytes)
{
    const int64 first = (int64)blockIdx.x * 1024 + threadIdx.x;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        if (first + i * 256 < bytes / 16)
        {
            data[first + i * 256] = make_uint4(0, 0, 0, 0);
        }
    }
}
EXPORT_KERNEL(zero_bytes)
