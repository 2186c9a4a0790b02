// Activations and their derivatives, which gated and ungated kernels share, and the places of a row that a thread works on.
//
//   silu(g) = g sigma(g), silu'(g) = sigma(g) (1 + g (1 - sigma(g))), sigma(g) = 1 / (1 + exp(-g))
//   gelu(g) = g Phi(g), gelu'(g) = Phi(g) + g phi(g), with the normal distribution's function and density
//   gelu by tanh = g sigma(z), z = 2 sqrt(2 / pi) (g + 0.044715 g^3), its derivative sigma(z) + g z' sigma(z) (1 - sigma(z))
//   relu(g) = max(g, 0), with the derivative 0 at 0, and its square.
//
// The reciprocal is the special function unit's (1 ulp).
#pragma once

#include "device.cuh"

const int Batch = 2;

// An activation and its derivative at a place.
struct Point
{
    float value;
    float slope;
};

// Forward and backward must agree in every bit: the only sums that could be contracted are with a power of two times a leaf's result.
struct Silu
{
    DEVICE Point at(float g)
    {
        const float sigmoid = reciprocal_fast(1.0f + expf(-g));
        const float silu = g * sigmoid;
        return Point{silu, fmaf(silu, 1.0f - sigmoid, sigmoid)};
    }
};

struct Gelu
{
    DEVICE Point at(float g)
    {
        const float below = 0.5f * erfcf(g * -0.707106781f);
        const float density = 0.398942280f * expf(-0.5f * (g * g));
        return Point{g * below, fmaf(g, density, below)};
    }
};

struct GeluTanh
{
    DEVICE Point at(float g)
    {
        const float linear = 1.59576912f;
        const float cubic = 0.0713548163f;
        const float square = g * g;
        const float sigmoid = reciprocal_fast(1.0f + expf(-(g * fmaf(square, cubic, linear))));
        const float gelu = g * sigmoid;
        return Point{gelu, fmaf(gelu * (1.0f - sigmoid), fmaf(square, 3.0f * cubic, linear), sigmoid)};
    }
};

struct Relu
{
    DEVICE Point at(float g) { return Point{g > 0.0f ? g : 0.0f, g > 0.0f ? 1.0f : 0.0f}; }
};

struct SquaredRelu
{
    DEVICE Point at(float g)
    {
        const float relu = Relu::at(g).value;
        return Point{relu * relu, 2.0f * relu};
    }
};

// The packs of this thread: packs[i] of row `row`, -1 beyond its end.
DEVICE int64 locate(int packs, int (&mine)[Batch])
{
    const int tile = Batch * blockDim.x;
    const int tiles = (packs + tile - 1) / tile;
    const int64 row = blockIdx.x / tiles;
#pragma unroll
    for (int i = 0; i < Batch; i++)
    {
        const int pack = blockIdx.x % tiles * tile + i * blockDim.x + threadIdx.x;
        mine[i] = pack < packs ? pack : -1;
    }

    return row;
}

// A file's entry points of an activation, in every type and for rows that start anywhere: its `forward` and `backward`.
#define ENTRIES(name, suffix, Activation, T)                                                                         \
    extern "C" __global__ void __launch_bounds__(256) name##_forward_##suffix(const T* input, T* out, int32 columns) \
    {                                                                                                                \
        forward<Activation>(input, out, columns);                                                                    \
    }                                                                                                                \
    EXPORT_KERNEL(name##_forward_##suffix)                                                                           \
    extern "C" __global__ void __launch_bounds__(256) name##_backward_##suffix(T* gradient, T* input, int32 columns) \
    {                                                                                                                \
        backward<Activation>(gradient, input, columns);                                                              \
    }                                                                                                                \
    EXPORT_KERNEL(name##_backward_##suffix)

#define ACTIVATION(name, Activation)                       \
    ENTRIES(name, f32, Activation, float)                  \
    ENTRIES(name, bf16, Activation, bf16)                  \
    ENTRIES(name, f32_unaligned, Activation, Loose<float>) \
    ENTRIES(name, bf16_unaligned, Activation, Loose<bf16>)
