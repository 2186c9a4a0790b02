// CUDA's vector types, its overloads of min and max, and the math functions that <math.h> does not have.
#pragma once

// A copy of 16 bytes is one access of 16 bytes, as on the GPU, and not four: the checker of accesses counts on it.
#define EMULATED_VECTOR4(type, element)                                                                          \
    struct __align__(16) type                                                                                    \
    {                                                                                                            \
        element x, y, z, w;                                                                                      \
        typedef element Lanes __attribute__((vector_size(16), may_alias));                                       \
        type() = default;                                                                                        \
        DEVICE_MEMBER type(element x, element y, element z, element w) : x(x), y(y), z(z), w(w) {}               \
        DEVICE_MEMBER type(const type& other) { *this = other; }                                                 \
        DEVICE_MEMBER type& operator=(const type& other)                                                         \
        {                                                                                                        \
            *reinterpret_cast<Lanes*>(this) = *reinterpret_cast<const Lanes*>(&other);                           \
            return *this;                                                                                        \
        }                                                                                                        \
    };                                                                                                           \
    DEVICE type make_##type(element x, element y, element z, element w) { return type(x, y, z, w); }

#define EMULATED_VECTOR2(type, element)                                                                          \
    struct __align__(2 * sizeof(element)) type                                                                   \
    {                                                                                                            \
        element x, y;                                                                                            \
    };                                                                                                           \
    DEVICE type make_##type(element x, element y) { return type{x, y}; }

#define DEVICE_MEMBER __attribute__((always_inline)) inline

EMULATED_VECTOR4(float4, float)
EMULATED_VECTOR4(uint4, uint32)
EMULATED_VECTOR4(int4, int32)
EMULATED_VECTOR2(float2, float)
EMULATED_VECTOR2(uint2, uint32)
EMULATED_VECTOR2(int2, int32)

#define EMULATED_EXTREMES(type)                                       \
    DEVICE type min(type a, type b) { return b < a ? b : a; }         \
    DEVICE type max(type a, type b) { return a < b ? b : a; }

EMULATED_EXTREMES(int32)
EMULATED_EXTREMES(uint32)
EMULATED_EXTREMES(int64)
EMULATED_EXTREMES(uint64)
EMULATED_EXTREMES(long)
EMULATED_EXTREMES(unsigned long)

DEVICE float min(float a, float b) { return fminf(a, b); }
DEVICE float max(float a, float b) { return fmaxf(a, b); }
DEVICE double min(double a, double b) { return fmin(a, b); }
DEVICE double max(double a, double b) { return fmax(a, b); }

DEVICE float rsqrtf(float x) { return 1.0f / sqrtf(x); }
DEVICE double rsqrt(double x) { return 1.0 / sqrt(x); }

DEVICE int32 atomicAdd(int32* at, int32 value) { return (int32)emulation_atomic_add32((uint32_t*)at, (uint32_t)value); }
DEVICE uint32 atomicAdd(uint32* at, uint32 value) { return emulation_atomic_add32(at, value); }
DEVICE uint64 atomicAdd(uint64* at, uint64 value) { return emulation_atomic_add64((uint64_t*)at, value); }

#undef EMULATED_VECTOR4
#undef EMULATED_VECTOR2
#undef EMULATED_EXTREMES
