// What kernels/device.cuh takes from the GPU, for kernels compiled by g++: CUDA's keywords, indices, vector types and math
// functions, and the leaf functions (barriers, warp operations, asynchronous copies), which the emulation library executes.
#pragma once

#include <math.h>

#include "kernel_interface.h"

// Never inlined into its caller below, which is not instrumented.
#define __global__ __attribute__((visibility("default"), noinline))
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
// As many bytes before the function's entry as threads: the file's table of them tells the library where they start.
#define __launch_bounds__(threads, ...) __attribute__((patchable_function_entry(threads, threads)))
#define __align__(bytes) __attribute__((aligned(bytes)))
// Blocks run one after the other, so that one copy serves all; the library poisons it before each.
#define __shared__ static

#define DEVICE static __device__ __forceinline__

namespace emulation
{

struct Index3
{
    uint32 x, y, z;
};

// The value at a place of `emulation_indices`. It never changes while a thread runs, so that the compiler may keep it.
template <int Offset> DEVICE uint32 index_at()
{
    uint32 value;
    asm("movq emulation_indices@GOTPCREL(%%rip), %q0\n\tmovl %c1(%q0), %k0" : "=r"(value) : "i"(Offset));
    return value;
}

template <int Offset> DEVICE Index3 index3_at() { return {index_at<Offset>(), index_at<Offset + 4>(), index_at<Offset + 8>()}; }

DEVICE unsigned char* dynamic_shared()
{
    unsigned char* value;
    asm("movq emulation_indices@GOTPCREL(%%rip), %0\n\tmovq %c1(%0), %0"
        : "=r"(value)
        : "i"(__builtin_offsetof(EmulationIndices, dynamic_shared)));
    return value;
}

template <typename T> struct Parameter
{
    DEVICE T from(void* at) { return *static_cast<T*>(at); }
};

template <int... I> struct Indices
{
};

template <int Count, int... I> struct IndicesTo : IndicesTo<Count - 1, Count - 1, I...>
{
};

template <int... I> struct IndicesTo<0, I...>
{
    typedef Indices<I...> type;
};

template <typename... T, int... I> DEVICE void call(void (*kernel)(T...), void** parameters, Indices<I...>)
{
    kernel(Parameter<T>::from(parameters[I])...);
}

template <typename... T> DEVICE void call(void (*kernel)(T...), void** parameters)
{
    call(kernel, parameters, typename IndicesTo<sizeof...(T)>::type());
}

template <typename... T> struct Signature
{
    static constexpr uint32_t Count = sizeof...(T);
    static constexpr uint32_t Sizes[Count + 1] = {sizeof(T)..., 0};
};

template <typename... T> Signature<T...> signature(void (*)(T...));

} // namespace emulation

extern "C" __attribute__((visibility("hidden"))) char __bss_start[];
extern "C" __attribute__((visibility("hidden"))) char _end[];
extern "C" __attribute__((visibility("hidden"), weak)) const uintptr_t __start___patchable_function_entries[];
extern "C" __attribute__((visibility("hidden"), weak)) const uintptr_t __stop___patchable_function_entries[];

// Exports a kernel to the emulated driver under its own name; put it after the kernel's definition. A file of kernels has no
// other variables than static shared memory, which is therefore all of its .bss.
#define EXPORT_KERNEL(kernel)                                                                                             \
    __attribute__((no_sanitize("thread"))) static void kernel##_emulated(void** parameters)                               \
    {                                                                                                                     \
        emulation::call(kernel, parameters);                                                                              \
    }                                                                                                                     \
    extern "C" __attribute__((visibility("default"))) const EmulationKernel emulation_kernel_##kernel = {#kernel,         \
        kernel##_emulated, decltype(emulation::signature(kernel))::Count, decltype(emulation::signature(kernel))::Sizes,  \
        __bss_start, _end, reinterpret_cast<uintptr_t>(kernel), __start___patchable_function_entries,                     \
        __stop___patchable_function_entries};

// Shared memory whose size the launch gives: a pointer named `name`, aligned to 1,024 bytes.
#define DYNAMIC_SHARED(name) unsigned char* const name = emulation::dynamic_shared()

#define threadIdx (emulation::index3_at<__builtin_offsetof(EmulationIndices, thread)>())
#define blockIdx (emulation::index3_at<__builtin_offsetof(EmulationIndices, block)>())
#define blockDim (emulation::index3_at<__builtin_offsetof(EmulationIndices, block_size)>())
#define gridDim (emulation::index3_at<__builtin_offsetof(EmulationIndices, grid)>())

#include "emulated_types.h"

DEVICE void block_barrier() { emulation_block_barrier(); }

DEVICE void warp_barrier() { emulation_warp_barrier(); }

DEVICE uint32 thread_index() { return threadIdx.x; }

DEVICE uint32 draw_ticket(uint32* counter, uint32 last) { return emulation_draw_ticket(counter, last); }

DEVICE void wait_for(const uint32* at, uint32 value) { emulation_wait_for(at, value); }

DEVICE void store_release(uint32* at, uint32 value) { emulation_store_release(at, value); }

DEVICE uint32 float_to_bits(float value)
{
    uint32 bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

DEVICE float bits_to_float(uint32 bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

DEVICE float product(float a, float b)
{
    float rounded = a * b;
    asm("" : "+x"(rounded));
    return rounded;
}

DEVICE float shuffle_xor(float value, int mask)
{
    return bits_to_float((uint32)emulation_shuffle(float_to_bits(value), EmulationShuffleXor, mask));
}

DEVICE double shuffle_xor(double value, int mask)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    bits = emulation_shuffle(bits, EmulationShuffleXor, mask);
    __builtin_memcpy(&value, &bits, sizeof(bits));
    return value;
}

DEVICE float shuffle_down(float value, int distance)
{
    return bits_to_float((uint32)emulation_shuffle(float_to_bits(value), EmulationShuffleDown, distance));
}

DEVICE uint32 shuffle(uint32 value, int lane) { return (uint32)emulation_shuffle(value, EmulationShuffleIndex, lane); }

DEVICE uint32 shared_address(const void* pointer) { return emulation_shared_address(pointer); }

DEVICE void copy_async_16(void* shared, const void* global, bool valid) { emulation_copy_async(shared, global, 16, valid); }

DEVICE void copy_async_4(void* shared, const void* global, bool valid) { emulation_copy_async(shared, global, 4, valid); }

DEVICE void copy_async_commit() { emulation_copy_async_commit(); }

template <int N> DEVICE void copy_async_wait() { emulation_copy_async_wait(N); }

DEVICE void load_matrix_x4(uint32 (&r)[4], const void* shared_row)
{
    const EmulationUint4 row = emulation_load_matrix(shared_row, false);
    r[0] = row[0], r[1] = row[1], r[2] = row[2], r[3] = row[3];
}

DEVICE void load_matrix_x4_transposed(uint32 (&r)[4], const void* shared_row)
{
    const EmulationUint4 row = emulation_load_matrix(shared_row, true);
    r[0] = row[0], r[1] = row[1], r[2] = row[2], r[3] = row[3];
}

DEVICE void mma_16816(float (&d)[4], const uint32 (&a)[4], uint32 b0, uint32 b1)
{
    const EmulationFloat4 sum = emulation_mma(EmulationFloat4{d[0], d[1], d[2], d[3]}, EmulationUint4{a[0], a[1], a[2], a[3]}, b0, b1);
    d[0] = sum[0], d[1] = sum[1], d[2] = sum[2], d[3] = sum[3];
}

// The GPU's flushes results below the smallest normal number to zero.
DEVICE float exp2_fast(float x)
{
    const float y = exp2f(x);
    return y < 0x1p-126f ? 0.0f : y;
}

DEVICE float log2_fast(float x) { return log2f(x < 0x1p-126f ? 0.0f : x); }

DEVICE float flush_subnormal(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x; }

DEVICE float reciprocal_fast(float x) { return flush_subnormal(1.0f / flush_subnormal(x)); }

DEVICE float sqrt_fast(float x) { return sqrtf(flush_subnormal(x)); }

// To nearest even; the GPU makes every NaN 0x7fff.
DEVICE uint32 round_to_bf16(float value)
{
    const uint32 bits = float_to_bits(value);
    return value != value ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}

DEVICE uint32 pack_bf16(float low, float high) { return round_to_bf16(high) << 16 | round_to_bf16(low); }
