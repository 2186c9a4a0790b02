// Heads of qk_norm_rope.cu backwards whose weights are each head's own: normed together, or each less its mean.
#pragma once

#include "qk_norm_rope_turns.cuh"

// The rstds of a block's rows of heads, and of each the pull -mean(g w n) rstd^2, with g the gradient before heads were turned.
template <Fit Whole, typename G, typename T>
DEVICE void row_statistics(const G* from, int64 from_stride, const T* x, int64 stride, int heads, const T* norm, const NormOf& of,
    const TokenValues& values, const float* scales, const Share& share)
{
    const int width = width_of<Whole, T>();
    const float weights = (float)(2 * share.half * heads);
    block_barrier();
    for (int base = 0; base < share.tokens; base += share.groups)
    {
        const bool active = base + share.group < share.tokens;
        const int token = active ? base + share.group : 0;
        float squares = 0;
        float dot = 0;
        for (int head = 0; head < heads; head++)
        {
            const int at = head * 2 * share.half;
            Runs<width> g = turn_back<Whole, width>(from + token * from_stride + at, active, token, values, scales, share);
            const Runs<width> input = load_runs<Whole, width>(x + token * stride + at, share.half, active, share);
            const Runs<width> weight = load_weights<Whole, width>(norm + at, active, of, share);
            squares = run_dot(input, input, squares);
#pragma unroll
            for (int i = 0; i < 2 * width; i++)
            {
                g.v[i / width][i % width] *= weight.v[i / width][i % width];
            }

            dot = run_dot(g, input, dot);
        }

        const float rstd = 1.0f / sqrtf(head_sum(squares, share) / weights + of.eps);
        dot = head_sum(dot, share);
        if (active && share.start == 0)
        {
            values.rstds[token] = rstd;
            values.pulls[token] = -(dot * rstd * rstd * rstd / weights);
        }
    }

    block_barrier();
}

// turn_heads_back where rows are normed: a group has all tokens of a head, and so the head's sums of g n, which go to `partial`.
template <Fit Whole, typename G, typename T>
DEVICE void turn_rows_back(const G* from, int64 from_stride, const T* x, T* dx, int64 stride, int heads, const T* norm, const NormOf& of,
    const TokenValues& values, const float* scales, float* partial, const Share& share)
{
    const int width = width_of<Whole, T>();
    row_statistics<Whole>(from, from_stride, x, stride, heads, norm, of, values, scales, share);
    for (int head = share.group; head < heads; head += share.groups)
    {
        const int at = head * 2 * share.half;
        const Runs<width> weight = load_weights<Whole, width>(norm + at, true, of, share);
        Runs<width> sums = {};
        for (int token = 0; token < share.tokens; token++)
        {
            Runs<width> g = turn_back<Whole, width>(from + token * from_stride + at, true, token, values, scales, share);
            const Runs<width> input = load_runs<Whole, width>(x + token * stride + at, share.half, true, share);
            const float scale = values.rstds[token];
            weigh(g, input, weight, scale, sums);
            pull(g, input, scale, values.pulls[token]);
            store_runs<Whole>(dx + token * stride + at, g, true, share);
        }

        store_runs<Whole>(partial + at, sums, true, share);
    }
}

// turn_heads_back where each head has weights of its own and is centred: a group has all tokens of a head, and so its sums of g n.
template <Fit Whole, typename G, typename T>
DEVICE void turn_centred_back(const G* from, int64 from_stride, const T* x, T* dx, int64 stride, int heads, const T* norm,
    const NormOf& of, const TokenValues& values, const float* scales, float* partial, const Share& share)
{
    const int width = width_of<Whole, T>();
    const float count = (float)(2 * share.half);
    for (int base = 0; base < heads; base += share.groups)
    {
        // Groups without a head go along: lanes of a warp add up together.
        const bool active = base + share.group < heads;
        const int at = active ? (base + share.group) * 2 * share.half : 0;
        const Runs<width> weight = load_weights<Whole, width>(norm + at, active, of, share);
        Runs<width> sums = {};
        for (int token = 0; token < share.tokens; token++)
        {
            Runs<width> g = turn_back<Whole, width>(from + token * from_stride + at, active, token, values, scales, share);
            Runs<width> input = load_runs<Whole, width>(x + token * stride + at, share.half, active, share);
            centre(input, share);
            const float scale = head_rstd(input, of.eps, share);
            weigh(g, input, weight, scale, sums);
            const float along = -(head_dot(g, input, share) * scale * scale * scale / count);
            centre(g, share);
            pull(g, input, scale, along);
            store_runs<Whole>(dx + token * stride + at, g, active, share);
        }

        store_runs<Whole>(partial + at, sums, active, share);
    }
}
