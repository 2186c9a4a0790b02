// One row of logits: what the softmax sees of them, the first pass over them, which sums exponentials, and the second, which writes the
// gradient. The kernels of cross_entropy.cu share them.
#pragma once

#include "device.cuh"

const float Lowest = -3.402823466e38f;

DEVICE float minus_infinity() { return bits_to_float(0xff800000u); }

// What the softmax sees of a logit, and how a gradient gets back through that. With a scale of 1 both are the identity in every bit.
struct Scaled
{
    float scale;
    float cap;

    DEVICE Scaled of(float scale, float) { return Scaled{scale, 0.0f}; }

    __device__ __forceinline__ float operator()(float raw) const { return raw * scale; }

    __device__ __forceinline__ float back(float gradient, float) const { return gradient * scale; }
};

struct Capped
{
    float scale;
    float cap;
    float inner;
    float inverse;

    DEVICE Capped of(float scale, float cap) { return Capped{scale, cap, scale / cap, 1.0f / cap}; }

    __device__ __forceinline__ float operator()(float raw) const { return tanhf(raw * inner) * cap; }

    // Beyond the vocabulary logits are minus infinity: their gradients are zero, and stay so.
    __device__ __forceinline__ float back(float gradient, float logit) const
    {
        const float tanh = fmaxf(logit * inverse, -1.0f);
        return gradient * fmaf(-tanh, tanh, 1.0f) * scale;
    }
};

// Running maximum and the sum of exponentials relative to it.
struct Online
{
    float most;
    float sum;
};

template <int N> DEVICE void include(Online& state, const float (&v)[N])
{
    float most = state.most;
#pragma unroll
    for (int i = 0; i < N; i++)
    {
        most = fmaxf(most, v[i]);
    }

    float sum = state.sum * expf(state.most - most);
#pragma unroll
    for (int i = 0; i < N; i++)
    {
        sum += expf(v[i] - most);
    }

    state = Online{most, sum};
}

// The first pass of a row. Width elements an access, Batch accesses under way at once.
template <int Width, int Batch, typename Logits> DEVICE Online row_sum(const float* row, int32 vocab, const Logits& logits)
{
    Online state = {Lowest, 0};
    const int whole = vocab / Width;
    for (int base = threadIdx.x; base < whole; base += Batch * blockDim.x)
    {
        float v[Batch * Width];
#pragma unroll
        for (int b = 0; b < Batch; b++)
        {
            const int unit = base + b * blockDim.x;
            float part[Width];
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                part[c] = minus_infinity();
            }

            if (unit < whole)
            {
                load_elements(row + (int64)unit * Width, part);
#pragma unroll
                for (int c = 0; c < Width; c++)
                {
                    part[c] = logits(part[c]);
                }
            }

#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                v[b * Width + c] = part[c];
            }
        }

        include(state, v);
    }

    if ((int)threadIdx.x < vocab - whole * Width)
    {
        const float last[1] = {logits(row[whole * Width + threadIdx.x])};
        include(state, last);
    }

    return state;
}

// What the second pass multiplies and places; target is -1 where it is not among the row's columns.
struct Slope
{
    float most;
    float factor;
    float at_target;
    int32 target;
};

// The second pass of a row, from its end: what the first pass read last may still be in the cache.
template <int Width, int Batch, typename T, typename Logits>
DEVICE void row_gradient(const float* row, T* gradient, const Slope& slope, const Logits& logits, int32 vocab, int64 stride)
{
    const int units = (int)(stride / Width);
    const int whole = vocab / Width;
    const int step = Batch * blockDim.x;
    for (int base = (units - 1) / step * step + (int)threadIdx.x; base >= 0; base -= step)
    {
        float v[Batch][Width];
#pragma unroll
        for (int b = 0; b < Batch; b++)
        {
            const int unit = base + b * blockDim.x;
            if (unit < whole)
            {
                load_elements(row + (int64)unit * Width, v[b]);
#pragma unroll
                for (int c = 0; c < Width; c++)
                {
                    v[b][c] = logits(v[b][c]);
                }
            }
            else
            {
#pragma unroll
                for (int c = 0; c < Width; c++)
                {
                    v[b][c] = unit * Width + c < vocab ? logits(row[unit * Width + c]) : minus_infinity();
                }
            }
        }

#pragma unroll
        for (int b = 0; b < Batch; b++)
        {
            const int unit = base + b * blockDim.x;
            const int first = unit * Width;
#pragma unroll
            for (int c = 0; c < Width; c++)
            {
                v[b][c] = logits.back(expf(v[b][c] - slope.most) * slope.factor, v[b][c]);
            }

            if (slope.target >= first && slope.target < first + Width)
            {
#pragma unroll
                for (int c = 0; c < Width; c++)
                {
                    v[b][c] = first + c == slope.target ? slope.at_target : v[b][c];
                }
            }

            if (unit < units)
            {
                store_elements(gradient + (int64)unit * Width, v[b]);
            }
        }
    }
}

template <typename T> DEVICE void row_zero(T* gradient, int64 stride)
{
    const int count = Pack<T>::Count;
    if (stride % count == 0)
    {
        for (int64 at = (int64)threadIdx.x * count; at < stride; at += blockDim.x * count)
        {
            *reinterpret_cast<uint4*>(gradient + at) = make_uint4(0, 0, 0, 0);
        }
    }
    else
    {
        for (int64 at = threadIdx.x; at < stride; at += blockDim.x)
        {
            gradient[at] = from_float<T>(0.0f);
        }
    }
}

// The accesses that a row's length allows.
template <int Width, typename Logits> DEVICE Online row_sum(const float* row, int32 vocab, bool aligned, const Logits& logits)
{
    return aligned ? row_sum<Width, 16 / Width>(row, vocab, logits) : row_sum<1, 16>(row, vocab, logits);
}

template <typename T, typename Logits>
DEVICE void row_gradient(const float* row, T* gradient, const Slope& slope, const Logits& logits, int32 vocab, int64 stride)
{
    const int width = Pack<T>::Count;
    if (stride % width == 0)
    {
        row_gradient<width, 16 / width>(row, gradient, slope, logits, vocab, stride);
    }
    else
    {
        row_gradient<1, 16>(row, gradient, slope, logits, vocab, stride);
    }
}
