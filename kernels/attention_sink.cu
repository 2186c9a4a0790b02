// Sinks of attention: a logit s of each head joins the softmax of every token, and of its probability nothing is made. Behind attention,
// which knows nothing of it: with one more term in the sum, l' = log(exp(l) + exp(s)) and o' = o / (1 + exp(s - l)). Attention's backward
// takes o' and l' as its own.
//
// attention_sink_forward_<f32|bf16>: sinks [heads], out [tokens, heads, width] and lse [heads, tokens] fp32, both in place; out is rounded
//   once more. A warp a head of a token.
//   grid tokens; block 256.
// attention_sink_backward_<f32|bf16>, attention_sink_backward_bf16_f32 (out fp32): sinks, output and lse as the forward left them,
// gradient [tokens, heads, width] of the output; out [heads] (+)= the sum over tokens of -exp(s - l') do' o': of a token in fp32, over
// tokens in fp64, those of a warp ascending, then the warps, then the old contents where accumulate is not 0 (else out is overwritten
// without being read); rounded to fp32, then to the type of out.
//   grid heads; block 1024.
// No dynamic shared memory.
#include "device.cuh"

template <typename T> DEVICE void forward(const T* sinks, T* out, float* lse, int32 tokens, int32 heads, int32 width)
{
    const int lane = threadIdx.x % 32;
    const int64 token = blockIdx.x;
    for (int head = threadIdx.x / 32; head < heads; head += 8)
    {
        float* l = lse + (int64)head * tokens + token;
        const float sink = to_float(sinks[head]);
        const float old = *l;
        const float kept = 1.0f / (1.0f + expf(sink - old));
        T* row = out + (token * heads + head) * width;
        for (int j = lane; j < width; j += 32)
        {
            row[j] = from_float<T>(to_float(row[j]) * kept);
        }

        warp_barrier();
        if (lane == 0)
        {
            *l = fmaxf(old, sink) + logf(1.0f + expf(-fabsf(old - sink)));
        }
    }
}

template <typename T, typename G>
DEVICE void backward(
    const T* sinks, const T* output, const float* lse, const T* gradient, G* out, int32 tokens, int32 heads, int32 width, int32 accumulate)
{
    __shared__ double sums[32];
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    const int head = blockIdx.x;
    const float sink = to_float(sinks[head]);
    double sum = 0;
    for (int token = warp; token < tokens; token += 32)
    {
        const int64 at = ((int64)token * heads + head) * width;
        float dot = 0;
        for (int j = lane; j < width; j += 32)
        {
            dot = fmaf(to_float(gradient[at + j]), to_float(output[at + j]), dot);
        }

        dot = warp_sum(dot);
        sum -= (double)expf(sink - lse[(int64)head * tokens + token]) * dot;
    }

    if (lane == 0)
    {
        sums[warp] = sum;
    }

    block_barrier();
    if (threadIdx.x == 0)
    {
        double total = 0;
        for (int w = 0; w < 32; w++)
        {
            total += sums[w];
        }

        if (accumulate != 0)
        {
            total += to_float(out[head]);
        }

        out[head] = from_float<G>((float)total);
    }
}

#define FORWARD(name, T)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(256)                                                                      \
        name(const T* sinks, T* out, float* lse, int32 tokens, int32 heads, int32 width)                                   \
    {                                                                                                                      \
        forward(sinks, out, lse, tokens, heads, width);                                                                    \
    }                                                                                                                      \
    EXPORT_KERNEL(name)

#define BACKWARD(name, T, G)                                                                                               \
    extern "C" __global__ void __launch_bounds__(1024)                                                                     \
        name(const T* sinks, const T* output, const float* lse, const T* gradient, G* out, int32 tokens, int32 heads,      \
            int32 width, int32 accumulate)                                                                                 \
    {                                                                                                                      \
        backward(sinks, output, lse, gradient, out, tokens, heads, width, accumulate);                                     \
    }                                                                                                                      \
    EXPORT_KERNEL(name)

FORWARD(attention_sink_forward_f32, float)
FORWARD(attention_sink_forward_bf16, bf16)
BACKWARD(attention_sink_backward_f32, float, float)
BACKWARD(attention_sink_backward_bf16, bf16, bf16)
BACKWARD(attention_sink_backward_bf16_f32, bf16, float)
