// Causal attention of tokens that do not follow each other in the window: those of a step that continues sequences, each at its own row.
// The definition is that of attention.cu: S = scale q K^T, kept within the softcap where it is not 0, P = exp(S - lse), o = P V.
//
// attention_rows_<f32|bf16>: q, o [T, heads hd]; kv [window rows, 2 kv_heads hd], keys then values; token t attends to rows first_key[t]
// to row[t], at least one; query head h reads key/value head h / (heads / kv_heads); lse [heads, T] fp32. o and lse are overwritten, o
// rounded once from fp32. A warp takes every eighth key; the eight parts are put together in ascending order.
//   grid T heads; block 256; no dynamic shared memory. hd at most 256; attention_rows_wide_<f32|bf16>: at most 512.
#include "device.cuh"

const int Warps = 8;
const int Lanes = 32;

template <int MostDim, typename T>
DEVICE void attention_rows(const T* q, const T* kv, const int32* first_key, const int32* row, T* o, float* lse, int32 tokens, int32 heads,
    int32 kv_heads, int32 head_dim, float scale, float softcap)
{
    __shared__ float peaks[Warps], totals[Warps];
    __shared__ float sums[Warps][MostDim];
    const int32 token = blockIdx.x / heads, head = blockIdx.x % heads;
    const int32 warp = (int32)threadIdx.x / Lanes, lane = (int32)threadIdx.x % Lanes;
    const int32 kv_head = head / (heads / kv_heads);
    const int64 stride = 2 * (int64)kv_heads * head_dim;
    const T* query = q + ((int64)token * heads + head) * head_dim;

    float mine[MostDim / Lanes], sum[MostDim / Lanes] = {};
#pragma unroll
    for (int i = 0; i < MostDim / Lanes; i++)
    {
        mine[i] = lane + i * Lanes < head_dim ? to_float(query[lane + i * Lanes]) : 0.0f;
    }

    // Below any score: its exponential is 0 under every maximum.
    float peak = -1e30f, total = 0;
    for (int32 key = first_key[token] + warp; key <= row[token]; key += Warps)
    {
        const T* keys = kv + key * stride + kv_head * head_dim;
        const T* values = keys + kv_heads * head_dim;
        float product = 0;
#pragma unroll
        for (int i = 0; i < MostDim / Lanes; i++)
        {
            product += lane + i * Lanes < head_dim ? mine[i] * to_float(keys[lane + i * Lanes]) : 0.0f;
        }

        float score = warp_sum(product) * scale;
        score = softcap != 0 ? softcap * tanhf(score / softcap) : score;
        const float most = fmaxf(peak, score), shrink = expf(peak - most), weight = expf(score - most);
        peak = most;
        total = total * shrink + weight;
#pragma unroll
        for (int i = 0; i < MostDim / Lanes; i++)
        {
            sum[i] = sum[i] * shrink + (lane + i * Lanes < head_dim ? weight * to_float(values[lane + i * Lanes]) : 0.0f);
        }
    }

    if (lane == 0)
    {
        peaks[warp] = peak;
        totals[warp] = total;
    }

#pragma unroll
    for (int i = 0; i < MostDim / Lanes; i++)
    {
        sums[warp][lane + i * Lanes] = sum[i];
    }

    block_barrier();
    float most = peaks[0];
    for (int w = 1; w < Warps; w++)
    {
        most = fmaxf(most, peaks[w]);
    }

    float all = 0;
    for (int w = 0; w < Warps; w++)
    {
        all += totals[w] * expf(peaks[w] - most);
    }

    for (int32 column = (int32)threadIdx.x; column < head_dim; column += Warps * Lanes)
    {
        float value = 0;
        for (int w = 0; w < Warps; w++)
        {
            value += sums[w][column] * expf(peaks[w] - most);
        }

        o[((int64)token * heads + head) * head_dim + column] = from_float<T>(value / all);
    }

    if (threadIdx.x == 0)
    {
        lse[(int64)head * tokens + token] = most + logf(all);
    }
}

#define ATTENTION_ROWS(name, T, most_dim)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) name(const T* q, const T* kv, const int32* first_key, const int32* row, T* o,  \
        float* lse, int32 tokens, int32 heads, int32 kv_heads, int32 head_dim, float scale, float softcap)                           \
    {                                                                                                                                \
        attention_rows<most_dim>(q, kv, first_key, row, o, lse, tokens, heads, kv_heads, head_dim, scale, softcap);                  \
    }                                                                                                                                \
    EXPORT_KERNEL(name)

ATTENTION_ROWS(attention_rows_f32, float, 256)
ATTENTION_ROWS(attention_rows_bf16, bf16, 256)
ATTENTION_ROWS(attention_rows_wide_f32, float, 512)
ATTENTION_ROWS(attention_rows_wide_bf16, bf16, 512)
