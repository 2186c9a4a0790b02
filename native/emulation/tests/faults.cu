// Kernels with a fault each, or, next to it, the same without.
#include "device.cuh"

extern "C" __global__ void scale(const float* x, float* y, int32 offset)
{
    const int32 i = (int32)(blockIdx.x * blockDim.x + threadIdx.x) * 4 + offset;
    Pack<float> pack = load_pack(x + i);
    for (int k = 0; k < 4; k++)
    {
        pack.v[k] *= 2.0f;
    }

    store_pack(y + i, pack);
}

EXPORT_KERNEL(scale)

// Leaves out the last pack, where `all` is not set.
extern "C" __global__ void fill(float* y, int32 count, int32 all)
{
    for (int32 i = (int32)threadIdx.x; i < count - (all ? 0 : 4); i += (int32)blockDim.x)
    {
        y[i] = (float)i;
    }
}

EXPORT_KERNEL(fill)

template <int Warps> DEVICE void ones(float* y) { y[threadIdx.x] = 1.0f; }

#define BOUNDED(threads)                                                                                 \
    extern "C" __global__ void __launch_bounds__(threads, 2) bounded_##threads(float* y) { ones<1>(y); } \
    EXPORT_KERNEL(bounded_##threads)

BOUNDED(32)
BOUNDED(96)
BOUNDED(1024)

extern "C" __global__ void reverse(const float* x, float* y, int32 barrier)
{
    __shared__ float shared[256];
    const int32 i = (int32)threadIdx.x;
    shared[i] = x[i];
    if (barrier)
    {
        block_barrier();
    }

    y[i] = shared[(int32)blockDim.x - 1 - i];
}

EXPORT_KERNEL(reverse)

// Writes shared memory anew while others may still read it.
extern "C" __global__ void reuse(const float* x, float* y, int32 barrier)
{
    __shared__ float shared[256];
    const int32 i = (int32)threadIdx.x;
    shared[i] = x[i];
    block_barrier();
    const float other = shared[i ^ 32];
    if (barrier)
    {
        block_barrier();
    }

    shared[i] = other + 1.0f;
    y[i] = shared[i];
}

EXPORT_KERNEL(reuse)

extern "C" __global__ void warp_exchange(const float* x, float* y, int32 barrier)
{
    __shared__ float shared[64];
    const int32 i = (int32)threadIdx.x;
    shared[i] = x[i];
    if (barrier)
    {
        warp_barrier();
    }

    y[i] = shared[i ^ 1];
}

EXPORT_KERNEL(warp_exchange)

extern "C" __global__ void diverge(float* y)
{
    if (threadIdx.x < 40)
    {
        block_barrier();
    }

    y[threadIdx.x] = 1.0f;
}

EXPORT_KERNEL(diverge)

extern "C" __global__ void diverge_in_warp(float* y)
{
    float value = (float)threadIdx.x;
    if (threadIdx.x % 32 < 20)
    {
        value = shuffle_xor(value, 1);
    }

    y[threadIdx.x] = value;
}

EXPORT_KERNEL(diverge_in_warp)

extern "C" __global__ void different_operations(float* y)
{
    float value = (float)threadIdx.x;
    if (threadIdx.x % 2 == 0)
    {
        value = shuffle_xor(value, 1);
    }
    else
    {
        warp_barrier();
    }

    y[threadIdx.x] = value;
}

EXPORT_KERNEL(different_operations)

extern "C" __global__ void copy_through_shared(const float* x, float* y, int32 wait)
{
    DYNAMIC_SHARED(shared);
    const int32 i = 4 * (int32)threadIdx.x;
    float* mine = reinterpret_cast<float*>(shared) + i;
    copy_async_16(mine, x + i, true);
    copy_async_commit();
    if (wait)
    {
        copy_async_wait<0>();
    }

    store_pack(y + i, load_pack(mine));
}

EXPORT_KERNEL(copy_through_shared)

// The first of two groups is waited for; the second one's destination is read.
extern "C" __global__ void wait_for_too_few(const float* x, float* y, int32 second)
{
    DYNAMIC_SHARED(shared);
    const int32 i = 4 * (int32)threadIdx.x;
    const int32 behind = 4 * (int32)blockDim.x;
    float* mine = reinterpret_cast<float*>(shared) + i;
    copy_async_16(mine, x + i, true);
    copy_async_commit();
    copy_async_16(mine + behind, x + i, false);
    copy_async_commit();
    copy_async_wait<1>();
    store_pack(y + i, load_pack(mine + (second ? behind : 0)));
}

EXPORT_KERNEL(wait_for_too_few)

// A word a thread, of every third thread a zero.
extern "C" __global__ void copy_words(const float* x, float* y, int32 bytes_off)
{
    DYNAMIC_SHARED(shared);
    const int32 i = (int32)threadIdx.x;
    float* mine = reinterpret_cast<float*>(shared) + i;
    copy_async_4(mine, reinterpret_cast<const unsigned char*>(x + i) + bytes_off, i % 3 != 0);
    copy_async_commit();
    copy_async_wait<0>();
    y[i] = *mine;
}

EXPORT_KERNEL(copy_words)

extern "C" __global__ void read_beyond_shared(float* y, int32 words)
{
    DYNAMIC_SHARED(shared);
    float* words_of_block = reinterpret_cast<float*>(shared);
    words_of_block[threadIdx.x] = 1.0f;
    block_barrier();
    y[threadIdx.x] = words_of_block[words];
}

EXPORT_KERNEL(read_beyond_shared)

extern "C" __global__ void read_unwritten_shared(float* y)
{
    __shared__ float shared[64];
    shared[threadIdx.x & 31] = 1.0f;
    block_barrier();
    y[threadIdx.x] = shared[threadIdx.x];
}

EXPORT_KERNEL(read_unwritten_shared)

extern "C" __global__ void index_outside(float* y, int32 index)
{
    __shared__ float first[32];
    __shared__ float second[32];
    first[threadIdx.x] = second[threadIdx.x] = 1.0f;
    block_barrier();
    y[threadIdx.x] = first[index] + second[threadIdx.x];
}

EXPORT_KERNEL(index_outside)

// Every block adds to one word: with `atomic` as it should.
extern "C" __global__ void count_blocks(uint32* word, int32 atomic)
{
    if (threadIdx.x == 0)
    {
        if (atomic)
        {
            atomicAdd(word, 1u);
        }
        else
        {
            *word = *word + blockIdx.x;
        }
    }
}

EXPORT_KERNEL(count_blocks)

// All threads write what they all know, or each its own number, to one word.
extern "C" __global__ void agree(float* y, int32 same)
{
    __shared__ int32 word;
    word = same ? 7 : (int32)threadIdx.x;
    block_barrier();
    y[threadIdx.x] = (float)word;
}

EXPORT_KERNEL(agree)

// Blocks add to one row in turn, each after the one before; without `release` nothing says so to the next.
extern "C" __global__ void take_turns(float* row, uint32* ticket, uint32* turn, int32 wait)
{
    __shared__ uint32 mine;
    if (threadIdx.x == 0)
    {
        mine = draw_ticket(ticket, gridDim.x - 1);
        if (wait)
        {
            wait_for(turn, mine);
        }
    }

    block_barrier();
    row[threadIdx.x] += (float)(mine + 1);
    block_barrier();
    if (threadIdx.x == 0)
    {
        store_release(turn, mine + 1 == gridDim.x ? 0 : mine + 1);
    }
}

EXPORT_KERNEL(take_turns)

// bf16 elements of neighbouring threads share 4 bytes.
extern "C" __global__ void halves(const bf16* x, bf16* y)
{
    __shared__ bf16 shared[64];
    const int32 i = (int32)threadIdx.x;
    shared[i] = x[i];
    const float most = warp_max(to_float(shared[i]));
    shared[i] = from_float<bf16>(to_float(shared[i]) / most);
    y[i] = shared[i];
}

EXPORT_KERNEL(halves)

// Threads write whole words, and read halves of them: a barrier is missing where asked, and the last word is unwritten where asked.
extern "C" __global__ void words_and_halves(uint32* y, int32 barrier, int32 all)
{
    __shared__ __align__(16) uint32 shared[64];
    const int32 i = (int32)threadIdx.x;
    if (all || i < (int32)blockDim.x - 1)
    {
        shared[i] = (uint32)i << 16 | (uint32)i;
    }

    if (barrier)
    {
        block_barrier();
    }

    const unsigned short* half = reinterpret_cast<const unsigned short*>(shared);
    y[i] = half[2 * ((i + 32) % (int32)blockDim.x) + 1];
}

EXPORT_KERNEL(words_and_halves)
