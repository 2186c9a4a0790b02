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

DEVICE float bits_to_float(uint32 bits) { return __uint_as_float(bits); }

DEVICE uint32 float_to_bits(float value) { return __float_as_uint(value); }

#endif

// tanh(x), given 2 log2(e) x, by the special function unit; off by at most 4e-7.
DEVICE float tanh_fast(float exponent) { return 1.0f - 2.0f * reciprocal_fast(exp2_fast(exponent) + 1.0f); }

// A bfloat16 as it lies in memory.
struct bf16
{
    uint16 bits;
};

DEVICE float to_float(float value) { return value; }

DEVICE float to_float(bf16 value) { return bits_to_float((uint32)value.bits << 16); }

// Rounded to nearest even where the type is narrower. (One template: a specialisation may not be static, as DEVICE is.)
template <typename T> DEVICE T from_float(float value)
{
    if constexpr (sizeof(T) == sizeof(float))
    {
        return T{value};
    }
    else
    {
        return T{(uint16)(pack_bf16(value, 0.0f) & 0xffffu)};
    }
}

// An element of rows that start anywhere, where those of others start on 16 bytes: kernels over it are the same, with packs of one.
template <typename T> struct Loose
{
    T value;
};

template <typename T> DEVICE float to_float(Loose<T> loose) { return to_float(loose.value); }

// 16 bytes of elements as floats: 4 fp32 or 8 bf16. Addresses must be multiples of 16 bytes.
template <typename T> struct Pack
{
    static const int Count = 16 / sizeof(T);
    float v[Count];
};

template <typename T> struct Pack<Loose<T>>
{
    static const int Count = 1;
    float v[Count];
};

// The 16 bytes as they lie in memory: half the registers of a pack of bf16 while nothing is computed from them. A loose element lies
// in the first word, as a float.
template <typename T> DEVICE uint4 load_raw(const T* at)
{
    if constexpr (Pack<T>::Count == 1)
    {
        return make_uint4(float_to_bits(to_float(*at)), 0, 0, 0);
    }
    else
    {
        return *reinterpret_cast<const uint4*>(at);
    }
}

// What was loaded, to the bit.
template <typename T> DEVICE void store_raw(T* at, const uint4& raw)
{
    if constexpr (Pack<T>::Count > 1)
    {
        *reinterpret_cast<uint4*>(at) = raw;
    }
    else if constexpr (sizeof(T) == sizeof(float))
    {
        *at = T{bits_to_float(raw.x)};
    }
    else
    {
        *at = T{(uint16)(raw.x >> 16)};
    }
}

template <typename T> DEVICE Pack<T> unpack(const uint4& raw)
{
    const uint32 words[4] = {raw.x, raw.y, raw.z, raw.w};
    Pack<T> pack;
#pragma unroll
    for (int i = 0; i < (Pack<T>::Count < 4 ? Pack<T>::Count : 4); i++)
    {
        if constexpr (Pack<T>::Count <= 4)
        {
            pack.v[i] = bits_to_float(words[i]);
        }
        else
        {
            pack.v[2 * i] = bits_to_float(words[i] << 16);
            pack.v[2 * i + 1] = bits_to_float(words[i] & 0xffff0000u);
        }
    }

    return pack;
}

template <typename T> DEVICE Pack<T> load_pack(const T* at) { return unpack<T>(load_raw(at)); }

DEVICE void store_pack(float* at, const Pack<float>& pack)
{
    *reinterpret_cast<uint4*>(at) =
        make_uint4(float_to_bits(pack.v[0]), float_to_bits(pack.v[1]), float_to_bits(pack.v[2]), float_to_bits(pack.v[3]));
}

DEVICE void store_pack(bf16* at, const Pack<bf16>& pack)
{
    *reinterpret_cast<uint4*>(at) = make_uint4(pack_bf16(pack.v[0], pack.v[1]), pack_bf16(pack.v[2], pack.v[3]),
        pack_bf16(pack.v[4], pack.v[5]), pack_bf16(pack.v[6], pack.v[7]));
}

template <typename T> DEVICE void store_pack(Loose<T>* at, const Pack<Loose<T>>& pack) { *at = from_float<Loose<T>>(pack.v[0]); }

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

// N elements as floats: by packs where N is a multiple of a pack, else one by one.
template <int N, typename T> DEVICE void load_elements(const T* at, float (&v)[N])
{
    const int count = Pack<T>::Count;
#pragma unroll
    for (int i = 0; i < N; i += N % count == 0 ? count : 1)
    {
        if constexpr (N % count == 0)
        {
            const Pack<T> pack = load_pack(at + i);
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                v[i + c] = pack.v[c];
            }
        }
        else
        {
            v[i] = to_float(at[i]);
        }
    }
}

template <int N, typename T> DEVICE void store_elements(T* at, const float (&v)[N])
{
    const int count = Pack<T>::Count;
#pragma unroll
    for (int i = 0; i < N; i += N % count == 0 ? count : 1)
    {
        if constexpr (N % count == 0)
        {
            Pack<T> pack;
#pragma unroll
            for (int c = 0; c < count; c++)
            {
                pack.v[c] = v[i + c];
            }

            store_pack(at + i, pack);
        }
        else
        {
            at[i] = from_float<T>(v[i]);
        }
    }
}

// The first `here` of N elements: at most so many are touched, and values beyond are left as they were.
template <int N, typename T> DEVICE void load_first(const T* at, float (&v)[N], int64 here)
{
    if (here >= N)
    {
        load_elements(at, v);
        return;
    }

#pragma unroll
    for (int i = 0; i < N; i++)
    {
        v[i] = i < here ? to_float(at[i]) : v[i];
    }
}

template <int N, typename T> DEVICE void store_first(T* at, const float (&v)[N], int64 here)
{
    if (here >= N)
    {
        store_elements(at, v);
        return;
    }

#pragma unroll
    for (int i = 0; i < N; i++)
    {
        if (i < here)
        {
            at[i] = from_float<T>(v[i]);
        }
    }
}

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
    uint64 reserved;
};
