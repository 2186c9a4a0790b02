// What precedes and what follows flash_attention_backward.cu, whose head comment gives the launches.
//
// prepare: stats [heads, ceil(T / Q) Q] of pairs log2(e) lse and delta = rowsum(dO o), fp32; infinity and 0 beyond the chunk, so
//   that probabilities are zero there. bounds [ceil(T / Q)]: the first keys of a query block's first and last token. turns: zero.
// finish: dq = scale sums, rounded to bf16; the sums lie in the order in which the threads of the backward hold them.
#include "device.cuh"

constexpr float Log2E = 1.4426950408889634f;

template <int HeadDim> DEVICE void prepare(const bf16* o, const float* lse, const bf16* o_gradient, const int32* first_key, float2* stats,
    int4* bounds, uint32* turns, int32 tokens, int32 heads, int32 query_rows)
{
    const int lanes = HeadDim / 8;
    const int32 blocks = (tokens + query_rows - 1) / query_rows;
    const int64 thread = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    const int64 threads = (int64)gridDim.x * blockDim.x;
    for (int64 i = thread; i < blocks; i += threads)
    {
        const int32 token = (int32)i * query_rows;
        bounds[i] = make_int4(first_key[token], first_key[min(token + query_rows, tokens) - 1], 0, 0);
    }

    for (int64 i = thread; i < 1 + (int64)heads * blocks; i += threads)
    {
        turns[i] = 0;
    }

    const int64 rows = (int64)heads * blocks * query_rows;
    const int64 row = thread / lanes;
    const int32 head = (int32)(row / ((int64)blocks * query_rows));
    const int32 token = (int32)(row % ((int64)blocks * query_rows));
    const bool there = row < rows && token < tokens;
    float sum = 0.0f;
    if (there)
    {
        const int64 at = ((int64)token * heads + head) * HeadDim + threadIdx.x % lanes * 8;
        const Pack<bf16> output = load_pack(o + at);
        const Pack<bf16> gradient = load_pack(o_gradient + at);
#pragma unroll
        for (int i = 0; i < 8; i++)
        {
            sum += output.v[i] * gradient.v[i];
        }
    }

#pragma unroll
    for (int mask = lanes / 2; mask > 0; mask >>= 1)
    {
        sum += shuffle_xor(sum, mask);
    }

    if (row < rows && threadIdx.x % lanes == 0)
    {
        stats[row] = there ? make_float2(lse[(int64)head * tokens + token] * Log2E, sum) : make_float2(bits_to_float(0x7f800000), 0.0f);
    }
}

// Tiles: how many 8-column tiles of 32 rows a thread holds.
template <int HeadDim, int QueryRows, int Warps> DEVICE void finish(
    const float4* dq_sums, bf16* dq, int32 tokens, int32 heads, float scale)
{
    const int columns = Warps / (QueryRows / 32);
    const int tiles = HeadDim / 8 / columns;
    const int32 head = blockIdx.x % heads;
    const int32 block = blockIdx.x / heads;
    const int32 lane = threadIdx.x % 32;
    const int32 warp = threadIdx.x / 32;
    const int32 token = block * QueryRows + warp / columns * 32 + lane / 4;
    const float4* sums = dq_sums + ((int64)head * (gridDim.x / heads) + block) * (QueryRows * HeadDim / 4) + threadIdx.x;
    bf16* to = dq + ((int64)token * heads + head) * HeadDim + warp % columns * tiles * 8 + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 2 * tiles; i++)
    {
        const int32 row = i / tiles * 16;
        const float4 four = sums[i * 32 * Warps];
        bf16* at = to + (int64)row * heads * HeadDim + i % tiles * 8;
        if (token + row < tokens)
        {
            *reinterpret_cast<uint32*>(at) = pack_bf16(four.x * scale, four.y * scale);
        }

        if (token + row + 8 < tokens)
        {
            *reinterpret_cast<uint32*>(at + (int64)8 * heads * HeadDim) = pack_bf16(four.z * scale, four.w * scale);
        }
    }
}

#define PREPARE(head_dim)                                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) flash_attention_backward_prepare_hd##head_dim(const bf16* o, const float* lse,  \
        const bf16* o_gradient, const int32* first_key, float* stats, int32* bounds, uint32* turns, int32 tokens, int32 heads,        \
        int32 query_rows)                                                                                                            \
    {                                                                                                                                \
        prepare<head_dim>(o, lse, o_gradient, first_key, reinterpret_cast<float2*>(stats), reinterpret_cast<int4*>(bounds), turns,    \
            tokens, heads, query_rows);                                                                                              \
    }                                                                                                                                \
    EXPORT_KERNEL(flash_attention_backward_prepare_hd##head_dim)

PREPARE(64)

PREPARE(128)

#define FINISH(variant, head_dim, query_rows, warps)                                                                                   \
    extern "C" __global__ void __launch_bounds__(32 * warps) flash_attention_backward_finish_##variant(const float* dq_sums, bf16* dq, \
        int32 tokens, int32 heads, float scale)                                                                                        \
    {                                                                                                                                  \
        finish<head_dim, query_rows, warps>(reinterpret_cast<const float4*>(dq_sums), dq, tokens, heads, scale);                       \
    }                                                                                                                                  \
    EXPORT_KERNEL(flash_attention_backward_finish_##variant)

FINISH(hd64, 64, 128, 8)

FINISH(hd128, 128, 64, 8)

FINISH(hd64_small, 64, 64, 8)

FINISH(hd128_small, 128, 32, 4)
