// What precedes and what follows flash_attention_backward.cu and flash_attention_backward_padded.cu, whose head comments give the launches.
//
// prepare: stats [heads, ceil(T / Q) Q] of pairs log2(e) lse and delta = rowsum(dO o), fp32; infinity and 0 beyond the chunk, so
//   that probabilities are zero there. bounds [ceil(T / Q)]: the first keys of a query block's first and last token. turns: zero.
// finish: dq = scale sums, rounded to bf16; the sums lie in the order in which the threads of the backward hold them.
//
// Of padded heads only columns below head_dim are read and written: the others would add zeros.
#include "device.cuh"

constexpr float Log2E = 1.4426950408889634f;

// Sum of products of 8 columns, of which those from `columns` on are not there.
template <bool Padded> DEVICE float multiply(const bf16* a, const bf16* b, int32 columns, int32 head_dim)
{
    float sum = 0.0f;
    if constexpr (Padded)
    {
        if (head_dim % 8 != 0 || columns <= 0)
        {
            for (int i = 0; i < min(columns, 8); i++)
            {
                sum += to_float(a[i]) * to_float(b[i]);
            }

            return sum;
        }
    }

    const Pack<bf16> x = load_pack(a);
    const Pack<bf16> y = load_pack(b);
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        sum += x.v[i] * y.v[i];
    }

    return sum;
}

template <int HeadDim, bool Padded> DEVICE void prepare(const bf16* o, const float* lse, const bf16* o_gradient, const int32* first_key,
    float2* stats, int4* bounds, uint32* turns, int32 tokens, int32 heads, int32 query_rows, int32 head_dim)
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
        const int32 width = Padded ? head_dim : HeadDim;
        const int32 column = threadIdx.x % lanes * 8;
        const int64 at = ((int64)token * heads + head) * width + column;
        sum = multiply<Padded>(o + at, o_gradient + at, width - column, width);
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

// A thread holds 8-column tiles of 32 rows, or of 16 where heads are wider than 128.
template <int HeadDim, bool Padded, int QueryRows, int Warps> DEVICE void finish(
    const float4* dq_sums, bf16* dq, int32 tokens, int32 heads, int32 head_dim, float scale)
{
    const int row_tiles = HeadDim > 128 ? 1 : 2;
    const int columns = Warps / (QueryRows / (16 * row_tiles));
    const int32 width = Padded ? head_dim : HeadDim;
    const int tiles = HeadDim / 8 / columns;
    const int32 head = blockIdx.x % heads;
    const int32 block = blockIdx.x / heads;
    const int32 lane = threadIdx.x % 32;
    const int32 warp = threadIdx.x / 32;
    const int32 token = block * QueryRows + warp / columns * (16 * row_tiles) + lane / 4;
    const float4* sums = dq_sums + ((int64)head * (gridDim.x / heads) + block) * (QueryRows * HeadDim / 4) + threadIdx.x;
    const int32 column = warp % columns * tiles * 8 + lane % 4 * 2;
    bf16* to = dq + ((int64)token * heads + head) * width + column;
#pragma unroll
    for (int i = 0; i < row_tiles * tiles; i++)
    {
        if (Padded && column + i % tiles * 8 >= width)
        {
            continue;
        }

        const int32 row = i / tiles * 16;
        const float4 four = sums[i * 32 * Warps];
        bf16* at = to + (int64)row * heads * width + i % tiles * 8;
        if (token + row < tokens)
        {
            *reinterpret_cast<uint32*>(at) = pack_bf16(four.x * scale, four.y * scale);
        }

        if (token + row + 8 < tokens)
        {
            *reinterpret_cast<uint32*>(at + (int64)8 * heads * width) = pack_bf16(four.z * scale, four.w * scale);
        }
    }
}

#define PREPARE(variant, columns, padded)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) flash_attention_backward_prepare_##variant(const bf16* o, const float* lse,    \
        const bf16* o_gradient, const int32* first_key, float* stats, int32* bounds, uint32* turns, int32 tokens, int32 heads,        \
        int32 query_rows, int32 head_dim)                                                                                            \
    {                                                                                                                                \
        prepare<columns, padded>(o, lse, o_gradient, first_key, reinterpret_cast<float2*>(stats), reinterpret_cast<int4*>(bounds),   \
            turns, tokens, heads, query_rows, head_dim);                                                                             \
    }                                                                                                                                \
    EXPORT_KERNEL(flash_attention_backward_prepare_##variant)

PREPARE(hd64, 64, false)

PREPARE(hd128, 128, false)

PREPARE(to64, 64, true)

PREPARE(to128, 128, true)

PREPARE(to256, 256, true)

#define FINISH(variant, columns, padded, query_rows, warps)                                                                            \
    extern "C" __global__ void __launch_bounds__(32 * warps) flash_attention_backward_finish_##variant(const float* dq_sums, bf16* dq, \
        int32 tokens, int32 heads, float scale, int32 head_dim)                                                                        \
    {                                                                                                                                  \
        finish<columns, padded, query_rows, warps>(reinterpret_cast<const float4*>(dq_sums), dq, tokens, heads, head_dim, scale);      \
    }                                                                                                                                  \
    EXPORT_KERNEL(flash_attention_backward_finish_##variant)

FINISH(hd64, 64, false, 128, 8)

FINISH(hd128, 128, false, 64, 8)

FINISH(hd64_small, 64, false, 64, 8)

FINISH(hd128_small, 128, false, 32, 4)

FINISH(to64, 64, true, 128, 8)

FINISH(to128, 128, true, 64, 8)

FINISH(to256, 256, true, 32, 8)

FINISH(to64_small, 64, true, 64, 8)

FINISH(to128_small, 128, true, 32, 4)

FINISH(to256_small, 256, true, 32, 4)
