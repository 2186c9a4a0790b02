// Random bits that are a function of a counter and a seed, so that they do not depend on who asks for them, or when.
#pragma once

#include "device.cuh"

// Philox4x32 with ten rounds (Salmon et al., 2011).
DEVICE uint4 philox(uint4 counter, uint64 seed)
{
    uint32 key0 = (uint32)seed;
    uint32 key1 = (uint32)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++)
    {
        const uint64 a = (uint64)0xD2511F53u * counter.x;
        const uint64 b = (uint64)0xCD9E8D57u * counter.z;
        counter = make_uint4((uint32)(b >> 32) ^ counter.y ^ key0, (uint32)b, (uint32)(a >> 32) ^ counter.w ^ key1, (uint32)a);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }

    return counter;
}
