// What every kernel may use: fixed-width types, bf16, 16-byte accesses, reductions and the few PTX instructions, each behind one
// name. No CUDA or standard header is included, so that NVRTC, nvcc and g++ compile the same sources.
//
// Under DATAFLOW_EMULATED the leaf functions (those with inline PTX or warp intrinsics) come from native/emulation/emulated_device.h;
// everything that has control flow or computes an address is shared.
#pragma once

typedef signed char int8;
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef int int32;
typedef unsigned int uint32;
typedef long long int64;
typedef unsigned long long uint64;

#ifdef DATAFLOW_EMULATED
#include "emulated_device.h"
#else

// Exports a kernel to the driver under its own name; put it after the kernel's definition.
#define EXPORT_KERNEL(name)

// Shared memory whose size the launch gives: a pointer named `name`, aligned to 1,024 bytes.
#define DYNAMIC_SHARED(name) extern __shared__ __align__(1024) unsigned char name[]

#define DEVICE static __device__ __forceinline__

DEVICE void block_barrier() { __syncthreads(); }

DEVICE void warp_barrier() { __syncwarp(); }

DEVICE float shuffle_xor(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

DEVICE double shuffle_xor(double value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

DEVICE float shuffle_down(float value, int distance) { return __shfl_down_sync(0xffffffffu, value, distance); }

DEVICE uint32 shuffle(uint32 value, int lane) { return __shfl_sync(0xffffffffu, value, lane); }

// threadIdx.x, read anew at every call, so that what is cheaply derived from it need not be held in registers meanwhile.
DEVICE uint32 thread_index()
{
    uint32 index;
    asm volatile("mov.u32 %0, %%tid.x;\n" : "=r"(index));
    return index;
}

// Address of shared memory as PTX wants it.
DEVICE uint32 shared_address(const void* pointer) { return (uint32)__cvta_generic_to_shared(pointer); }

// 16 bytes from global to shared memory, asynchronously; where `valid` is false, zeros are written and nothing is read.
DEVICE void copy_async_16(void* shared, const void* global, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
}

// 4 bytes likewise, from any address that is a multiple of 4.
DEVICE void copy_async_4(void* shared, const void* global, bool valid)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(shared_address(shared)), "l"(global), "r"(valid ? 4 : 0)
                 : "memory");
}

DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Until at most N committed groups are still under way.
template <int N> DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory"); }

// Four 8x8 matrices of 16-bit elements; lane i gives the address of row i % 8 of matrix i / 8 (PTX ISA, ldmatrix).
DEVICE void load_matrix_x4(uint32 (&r)[4], const void* shared_row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(shared_row)) : "memory");
}

// The same, each matrix transposed.
DEVICE void load_matrix_x4_transposed(uint32 (&r)[4], const void* shared_row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(shared_row)) : "memory");
}

// d += a b: a 16x16 row-major, b 16x8 column-major, both bf16; d 16x8 fp32 (PTX ISA, mma.m16n8k16).
DEVICE void mma_16816(float (&d)[4], const uint32 (&a)[4], uint32 b0, uint32 b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 2^x by the special function unit; at most 2 ulp off.
DEVICE float exp2_fast(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

// The logarithm of base 2 by the special function unit: off by at most 2^-22, or as much of itself. Minus infinity of 0.
DEVICE float log2_fast(float x)
{
    float y;
    asm("lg2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

// 1 / x by the special function unit; at most 1 ulp off. 0 where x is infinite.
DEVICE float reciprocal_fast(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

// The square root by the special function unit; at most 1 ulp off. Subnormal numbers are taken for 0.
DEVICE float sqrt_fast(float x)
{
    float y;
    asm("sqrt.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

// Two floats rounded to nearest even, `low` in the low half.
DEVICE uint32 pack_bf16(float low, float high)
{
    uint32 packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

// Words by which blocks of one launch hand work to each other. A block may wait only for blocks that drew earlier tickets: those
// run already, whereas the order in which the GPU starts blocks is its own affair.

// Takes 0, 1, ... `last`, then 0 again, so that the counter is ready for the next launch.
DEVICE uint32 draw_ticket(uint32* counter, uint32 last) { return atomicInc(counter, last); }

// Until the word holds the value. What its writer (and, before a barrier, the writer's block) wrote before store_release is seen
// by what follows in this thread and, behind a barrier, in its block.
DEVICE void wait_for(const uint32* at, uint32 value)
{
    uint32 found;
    do
    {
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];\n" : "=r"(found) : "l"(at) : "memory");
    } while (found != value);
}

DEVICE void store_release(uint32* at, uint32 value)
{
    asm volatile("st.release.gpu.global.u32 [%0], %1;\n" ::"l"(at), "r"(value) : "memory");
}

// a b, rounded by itself: the compiler makes no fused multiply-add of it and a sum.
DEVICE float product(float a, float b) { return __fmul_rn(a, b); }

DEVICE float bits_to_float(uint32 bits) { return __uint_as_float(bits); }

DEVICE uint32 float_to_bits(float value) { return __float_as_uint(value); }

#endif

// tanh(x), given 2 log2(e) x, by the special function unit; off by at most 4e-7.
DEVICE float tanh_fast(float exponent) { return 1.0f - 2.0f * reciprocal_fast(exp2_fast(exponent) + 1.0f); }

#include "packs.cuh"

// Where 16 bytes (a chunk) of a row of a tile of bf16 lie in shared memory, `Columns` being 32, 64, 128 or 256: the chunks of a row are
// permuted by its number, so that the 8 rows of a matrix that load_matrix_x4 reads fall into 8 different groups of banks. (Two rows of
// 32 columns lie side by side in the banks: they are permuted alike.)
template <int Columns> DEVICE int32 tile_offset(int32 row, int32 chunk)
{
    return row * 2 * Columns + ((chunk ^ (Columns == 32 ? row / 2 & 3 : row & 7)) << 4);
}

// Steps of 16 columns to the right from an offset in a tile, whose column is a multiple of a power of two greater than the steps'
// columns. Bits 5 and 6 take part in the permutation, bits 7 and 8 do not. (8 rows down are 16 * Columns bytes.)
DEVICE int32 tile_right(int32 offset, int32 steps) { return (offset ^ ((steps & 3) << 5)) + ((steps & 12) << 5); }

// Sum over the warp, in every lane, in a fixed order.
template <typename T> DEVICE T warp_sum(T value)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1)
    {
        value += shuffle_xor(value, mask);
    }

    return value;
}

DEVICE float warp_max(float value)
{
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1)
    {
        value = fmaxf(value, shuffle_xor(value, mask));
    }

    return value;
}

// Sum over the block, in every thread, in a fixed order; `scratch` is shared memory of one T a warp. All threads must call it.
template <typename T> DEVICE T block_sum(T value, T* scratch)
{
    value = warp_sum(value);
    block_barrier();
    if (threadIdx.x % 32 == 0)
    {
        scratch[threadIdx.x / 32] = value;
    }

    block_barrier();
    T sum = scratch[0];
    for (int warp = 1; warp < (int)blockDim.x / 32; warp++)
    {
        sum += scratch[warp];
    }

    return sum;
}

// As block_sum, for the maximum.
DEVICE float block_max(float value, float* scratch)
{
    value = warp_max(value);
    block_barrier();
    if (threadIdx.x % 32 == 0)
    {
        scratch[threadIdx.x / 32] = value;
    }

    block_barrier();
    float most = scratch[0];
    for (int warp = 1; warp < (int)blockDim.x / 32; warp++)
    {
        most = fmaxf(most, scratch[warp]);
    }

    return most;
}

// What differs from step to step; the runtime writes it to the device before each step. 64 bytes; StepBlock in src/Dataflow.Cuda.
struct StepBlock
{
    float learning_rate;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    float bias_correction1; // 1 - beta1^step
    float bias_correction2; // 1 - beta2^step
    float loss_scale;       // 1 / counted targets of the step
    float clip_norm;        // infinity where gradients are not clipped
    int32 step;             // from 1
    uint64 seed;            // of stochastic rounding
    float one_minus_beta1;  // of the beta as the decimal it was written as: 1 - 0.999f is off by 1e-5 of itself
    float one_minus_beta2;
    float momentum;
    float nesterov;         // 0 or 1
    float average_share;    // of what is trained, where that is an average
    float average_decay;    // of a moving average of the weights
};
