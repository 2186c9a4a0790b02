// Value heads of qk_norm_rope.cu that are normed by themselves, without weights, and not turned.
#pragma once

#include "qk_norm_rope_turns.cuh"

// A norm's pull on its input, given the gradient g of what it leaves.
template <int Width> DEVICE float pull_of(const Runs<Width>& g, const Runs<Width>& input, float scale, const Share& share)
{
    return -(head_dot(g, input, share) * scale * scale * scale / (float)(2 * share.half));
}

// Norms `heads` value heads a token, from rows of from_stride elements to rows of to_stride.
template <Fit Whole, typename T>
DEVICE void norm_values(const T* from, int64 from_stride, T* to, int64 to_stride, int heads, float eps, const Share& share)
{
    const int width = width_of<Whole, T>();
    for (int base = 0; base < share.tokens * heads; base += share.groups)
    {
        const int item = base + share.group;
        const bool active = item < share.tokens * heads;
        const int token = active ? item / heads : 0;
        const int head = active ? item % heads * 2 * share.half : 0;
        Runs<width> x = load_runs<Whole, width>(from + token * from_stride + head, share.half, active, share);
        multiply(x, head_rstd(x, eps, share));
        store_runs<Whole>(to + token * to_stride + head, x, active, share);
    }
}

// norm_values backwards, from gradients in rows of from_stride elements; x and dx have rows of `stride`.
template <Fit Whole, typename T> DEVICE void norm_values_back(
    const float* from, int64 from_stride, const T* x, T* dx, int64 stride, int heads, float eps, const Share& share)
{
    const int width = width_of<Whole, T>();
    for (int base = 0; base < share.tokens * heads; base += share.groups)
    {
        const int item = base + share.group;
        const bool active = item < share.tokens * heads;
        const int token = active ? item / heads : 0;
        const int head = active ? item % heads * 2 * share.half : 0;
        Runs<width> g = load_runs<Whole, width>(from + token * from_stride + head, share.half, active, share);
        const Runs<width> input = load_runs<Whole, width>(x + token * stride + head, share.half, active, share);
        const float scale = head_rstd(input, eps, share);
        pull(g, input, scale, pull_of(g, input, scale, share));
        store_runs<Whole>(dx + token * stride + head, g, active, share);
    }
}

// Of keys that are values, too: adds what comes back through the values to g, the gradient of their input. Lanes of a warp add up together.
template <Fit Whole, int Width> DEVICE void add_values_back(
    Runs<Width>& g, const float* values, const Runs<Width>& input, float scale, bool active, const Share& share)
{
    Runs<Width> of_values = load_runs<Whole, Width>(values, share.half, active, share);
    pull(of_values, input, scale, pull_of(of_values, input, scale, share));
#pragma unroll
    for (int i = 0; i < 2 * Width; i++)
    {
        g.v[i / Width][i % Width] += of_values.v[i / Width][i % Width];
    }
}
