// What comes between the calls of a fused attention that takes keys block by block (cuDNN's): outputs merged by their logsumexps, and
// logsumexps brought from the order of its calls to that of ours and back. All in fp32.
//
// attention_blocks_merge: part [T, heads head_dim] bf16 and part_lse [heads, T], of one block of keys, are merged into sums and lse of the
//   blocks before, or begin them (first != 0):
//     l = log(exp(lse) + exp(part_lse)),  sums = exp(lse - l) sums + exp(part_lse - l) part,  lse = l.
//   No row is without a key in any block, so that all logsumexps are finite. head_dim a multiple of 8.
//   grid ceil(T heads / 8); block 256 (a warp for a token's head); no dynamic shared memory.
//
// attention_blocks_statistics: to [heads, sequences seqlen] = from [calls, sequences, heads / calls, seqlen], or, backward != 0, the other
//   way round: from is [heads, ...], to the calls'. to overwritten.
//   grid ceil(heads sequences seqlen / 256); block 256; no dynamic shared memory.
#include "device.cuh"

extern "C" __global__ void __launch_bounds__(256) attention_blocks_merge(
    const bf16* part, const float* part_lse, float* sums, float* lse, int32 tokens, int32 heads, int32 head_dim, int32 first)
{
    const int width = 8;
    const int lane = threadIdx.x % 32;
    const int64 row = (int64)blockIdx.x * 8 + threadIdx.x / 32;
    if (row >= (int64)tokens * heads)
    {
        return;
    }

    // One lane alone touches the row's logsumexp, and says it to the others.
    const int64 statistic = (row % heads) * tokens + row / heads;
    float before = 0.0f, now = 0.0f;
    if (lane == 0)
    {
        const float added = part_lse[statistic];
        const float old = first != 0 ? added : lse[statistic];
        const float most = fmaxf(old, added);
        const float together = first != 0 ? added : most + log1pf(expf(-fabsf(old - added)));
        before = first != 0 ? 0.0f : expf(old - together);
        now = first != 0 ? 1.0f : expf(added - together);
        lse[statistic] = together;
    }

    before = bits_to_float(shuffle(float_to_bits(before), 0));
    now = bits_to_float(shuffle(float_to_bits(now), 0));
    for (int at = lane * width; at < head_dim; at += 32 * width)
    {
        float added[width];
        float value[width];
        load_elements(part + row * head_dim + at, added);
        if (first != 0)
        {
            store_elements(sums + row * head_dim + at, added);
            continue;
        }

        load_elements(sums + row * head_dim + at, value);
#pragma unroll
        for (int c = 0; c < width; c++)
        {
            value[c] = before * value[c] + now * added[c];
        }

        store_elements(sums + row * head_dim + at, value);
    }
}
EXPORT_KERNEL(attention_blocks_merge)

extern "C" __global__ void __launch_bounds__(256) attention_blocks_statistics(
    const float* from, float* to, int32 calls, int32 sequences, int32 heads, int32 seqlen, int32 backward)
{
    const int64 at = (int64)blockIdx.x * 256 + threadIdx.x;
    const int64 tokens = (int64)sequences * seqlen;
    if (at >= heads * tokens)
    {
        return;
    }

    const int64 head = at / tokens, sequence = at % tokens / seqlen, token = at % seqlen;
    const int64 together = heads / calls;
    const int64 called = ((head / together * sequences + sequence) * together + head % together) * seqlen + token;
    to[backward != 0 ? called : at] = from[backward != 0 ? at : called];
}
EXPORT_KERNEL(attention_blocks_statistics)
