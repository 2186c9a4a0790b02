// What the kernels of qk_norm_rope*.cu share: the angles of a block's tokens, heads turned by them, sums over a head.
#pragma once

#include "qk_norm_rope_runs.cuh"

const int Tokens = 16; // of a block

// src/Dataflow.Cuda/Kernels/RotaryParameter.cs writes it.
struct Rotary
{
    double frequencies[256];
    double query_beta; // queries are multiplied by 1 + query_beta ln(1 + position / original_length); 0: by nothing
    float factor;
    int32 original_length;
    const int32* set;   // of each token, its document's frequencies among the sets; null: those above are all tokens'
    const double* sets; // [sets, head_dim / 2]
};

// What is normed, by what weights.
enum class Normed
{
    Nothing,
    Heads,
    HeadsAfterRotation,
    Rows,           // all heads of a token together
    HeadsCentred,   // each head less its mean
    HeadsAndValues, // heads, and value heads by no weights
};

struct NormOf
{
    float eps;
    float weight_offset; // added to the weights
};

struct Shape
{
    int32 rows;
    int32 row_offset;
    int32 heads;
    int32 kv_heads;
    int32 head_dim;
    int32 value_heads; // kv_heads, or 0 where keys are values, too

    __device__ int q_width() const { return heads * head_dim; }
    __device__ int kv_width() const { return kv_heads * head_dim; }
    __device__ int64 stride() const { return (int64)(heads + kv_heads + value_heads) * head_dim; }
};

// The cosine and sine of 2 pi `turns`.
DEVICE void cosine_and_sine(double turns, float& cosine, float& sine)
{
    const double quarters = rint(4 * turns);
    const float x = (float)((turns - 0.25 * quarters) * 6.283185307179586);
    const float square = x * x;

    // Taylor polynomials: |x| is at most pi / 4, where the first term left out is 2e-9 of the sine and 2e-10 of the cosine.
    float s = fmaf(square, 2.7557319e-6f, -1.9841270e-4f);
    s = fmaf(square, s, 8.3333333e-3f);
    s = fmaf(square, s, -1.6666667e-1f);
    s = fmaf(x * square, s, x);
    float c = fmaf(square, -2.7557319e-7f, 2.4801587e-5f);
    c = fmaf(square, c, -1.3888889e-3f);
    c = fmaf(square, c, 4.1666667e-2f);
    c = fmaf(square, c, -0.5f);
    c = fmaf(square, c, 1.0f);
    const int quadrant = (int)quarters & 3;
    const float swapped_cosine = quadrant % 2 == 0 ? c : s;
    const float swapped_sine = quadrant % 2 == 0 ? s : c;
    cosine = quadrant == 1 || quadrant == 2 ? -swapped_cosine : swapped_cosine;
    sine = quadrant >= 2 ? -swapped_sine : swapped_sine;
}

// Shared memory of a block's tokens, behind the turns of all pairs.
struct TokenValues
{
    const float* angles; // cosines [Tokens, half], then sines
    float* scales;       // of queries
    float* rstds;        // of rows
    float* pulls;        // of rows, backward
    float* rest;
};

DEVICE TokenValues fill_angles(unsigned char* shared, const int32* first_key, const Rotary& rotary, const Shape& shape)
{
    const int half = shape.head_dim / 2;
    double* turns = reinterpret_cast<double*>(shared);
    float* angles = reinterpret_cast<float*>(turns + half);
    float* scales = angles + 2 * Tokens * half;
    for (int i = threadIdx.x; i < half; i += blockDim.x)
    {
        turns[i] = rotary.frequencies[i] * 0.15915494309189535;
    }

    block_barrier();
    for (int at = threadIdx.x; at < Tokens * half; at += blockDim.x)
    {
        const int token = blockIdx.x * Tokens + at / half;
        if (token < shape.rows)
        {
            const int position = shape.row_offset + token - first_key[token];
            const double turn = rotary.set == nullptr
                ? turns[at % half]
                : rotary.sets[(int64)rotary.set[token] * half + at % half] * 0.15915494309189535;
            const float factor = turn == 0 ? 1.0f : rotary.factor;
            float cosine, sine;
            cosine_and_sine(position * turn, cosine, sine);
            angles[at] = cosine * factor;
            angles[Tokens * half + at] = sine * factor;
            if (at % half == 0)
            {
                const int periods = rotary.query_beta == 0 ? 0 : position / rotary.original_length;
                scales[at / half] = periods == 0 ? 1.0f : (float)(1 + rotary.query_beta * log(1.0 + periods));
            }
        }
    }

    block_barrier();
    return {angles, scales, scales + Tokens, scales + 2 * Tokens, scales + 3 * Tokens};
}

DEVICE Share share_heads(const Shape& shape, int width)
{
    Share share;
    const int left = shape.rows - (int)blockIdx.x * Tokens;
    share.tokens = left < Tokens ? left : Tokens;
    share.half = shape.head_dim / 2;
    share.lanes = 1;
    while (share.lanes * width < share.half)
    {
        share.lanes *= 2;
    }

    share.start = threadIdx.x % share.lanes * width;
    share.group = threadIdx.x / share.lanes;
    share.groups = blockDim.x / share.lanes;
    return share;
}

// Turns pairs by the angles of one token; backwards with direction -1.
template <Fit Whole, int Width> DEVICE void rotate(Runs<Width>& runs, const float* angles, int token, float direction, const Share& share)
{
    const Runs<Width> turn = load_runs<Whole, Width>(angles + token * share.half, Tokens * share.half, true, share);
#pragma unroll
    for (int c = 0; c < Width; c++)
    {
        const float x1 = runs.v[0][c];
        const float x2 = runs.v[1][c];
        const float sine = direction * turn.v[1][c];
        runs.v[0][c] = fmaf(x1, turn.v[0][c], -(x2 * sine));
        runs.v[1][c] = fmaf(x2, turn.v[0][c], x1 * sine);
    }
}

// What the lanes of a head have of a sum, added up.
DEVICE float head_sum(float part, const Share& share)
{
    for (int mask = share.lanes / 2; mask > 0; mask /= 2)
    {
        part += shuffle_xor(part, mask);
    }

    return part;
}

template <int Width> DEVICE float run_dot(const Runs<Width>& a, const Runs<Width>& b, float dot)
{
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        dot = fmaf(a.v[i / Width][i % Width], b.v[i / Width][i % Width], dot);
    }

    return dot;
}

template <int Width> DEVICE float head_dot(const Runs<Width>& a, const Runs<Width>& b, const Share& share)
{
    return head_sum(run_dot(a, b, 0.0f), share);
}

template <int Width> DEVICE void multiply(Runs<Width>& runs, float factor)
{
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        runs.v[i / Width][i % Width] *= factor;
    }
}

// The weights of a head, with what is added to them.
template <Fit Whole, int Width, typename T>
DEVICE Runs<Width> load_weights(const T* norm, bool active, const NormOf& of, const Share& share)
{
    Runs<Width> weights = load_runs<Whole, Width>(norm, share.half, active, share);
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        weights.v[i / Width][i % Width] += of.weight_offset;
    }

    return weights;
}

template <int Width> DEVICE float head_rstd(const Runs<Width>& x, float eps, const Share& share)
{
    return 1.0f / sqrtf(head_dot(x, x, share) / (float)(2 * share.half) + eps);
}

// A head less its mean; what no element has stays 0.
template <int Width> DEVICE void centre(Runs<Width>& x, const Share& share)
{
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        sum += x.v[i / Width][i % Width];
    }

    const float mean = head_sum(sum, share) / (float)(2 * share.half);
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        float& value = x.v[i / Width][i % Width];
        value = share.start + i % Width < share.half ? value - mean : 0.0f;
    }
}

// A norm's backward but for the mean: sums += g n, g = g w.
template <int Width>
DEVICE void weigh(Runs<Width>& g, const Runs<Width>& input, const Runs<Width>& weight, float scale, Runs<Width>& sums)
{
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        float& sum = sums.v[i / Width][i % Width];
        sum = fmaf(g.v[i / Width][i % Width], input.v[i / Width][i % Width] * scale, sum);
        g.v[i / Width][i % Width] *= weight.v[i / Width][i % Width];
    }
}

// The rest of it: rstd g w + pull x.
template <int Width> DEVICE void pull(Runs<Width>& g, const Runs<Width>& input, float scale, float pull)
{
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        float& value = g.v[i / Width][i % Width];
        value = fmaf(input.v[i / Width][i % Width], pull, value * scale);
    }
}

// The gradient of one head before it was turned, from that after.
template <Fit Whole, int Width, typename G> DEVICE Runs<Width> turn_back(
    const G* from, bool active, int token, const TokenValues& values, const float* scales, const Share& share)
{
    Runs<Width> g = load_runs<Whole, Width>(from, share.half, active, share);
    if (scales != nullptr)
    {
        multiply(g, scales[token]);
    }

    rotate<Whole>(g, values.angles, token, -1.0f, share);
    return g;
}

// The rstds of the block's rows of heads: a group adds up all heads of a token.
template <Fit Whole, typename T>
DEVICE void row_rstds(const T* x, int64 stride, int heads, const NormOf& of, float* rstds, const Share& share)
{
    const int width = width_of<Whole, T>();
    block_barrier();
    for (int base = 0; base < share.tokens; base += share.groups)
    {
        const int token = base + share.group;
        const bool active = token < share.tokens;
        const T* row = x + (active ? token : 0) * stride;
        float squares = 0;
        for (int head = 0; head < heads; head++)
        {
            const Runs<width> run = load_runs<Whole, width>(row + head * 2 * share.half, share.half, active, share);
            squares = run_dot(run, run, squares);
        }

        squares = head_sum(squares, share);
        if (active && share.start == 0)
        {
            rstds[token] = 1.0f / sqrtf(squares / (float)(2 * share.half * heads) + of.eps);
        }
    }

    block_barrier();
}

// The groups' sums added up in ascending order: partial [head_dim]. `scratch` is shared memory of groups * head_dim floats.
template <Fit Whole, int Width> DEVICE void add_groups(const Runs<Width>& sums, float* scratch, float* partial, const Share& share)
{
    const int head_dim = 2 * share.half;
    block_barrier();
    store_runs<Whole>(scratch + share.group * head_dim, sums, true, share);
    block_barrier();
    for (int c = threadIdx.x; c < head_dim; c += blockDim.x)
    {
        float sum = 0;
        for (int group = 0; group < share.groups; group++)
        {
            sum += scratch[group * head_dim + c];
        }

        partial[c] = sum;
    }
}

// The values: `width` elements of each of the block's tokens, as they are. Rows may start anywhere where heads are not of packs.
template <Fit Whole, typename From, typename To>
DEVICE void copy_values(const From* from, int64 from_stride, To* to, int64 to_stride, int width, int tokens)
{
    const int count = Pack<To>::Count;
    if constexpr (Whole != Fit::Packs)
    {
        if ((from_stride | to_stride | width) % count != 0)
        {
            for (int at = threadIdx.x; at < tokens * width; at += blockDim.x)
            {
                to[at / width * to_stride + at % width] = from_float<To>(to_float(from[at / width * from_stride + at % width]));
            }

            return;
        }
    }

    for (int at = threadIdx.x; at < tokens * (width / count); at += blockDim.x)
    {
        const int token = at / (width / count);
        const int column = at % (width / count) * count;
        float v[count];
        load_elements(from + token * from_stride + column, v);
        store_elements(to + token * to_stride + column, v);
    }
}
