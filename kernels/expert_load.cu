// How experts are loaded and how large routers' logits are, and the losses of both.
//
// load_group: sums [groups, experts + 1] fp32, each expert's probabilities, the softmax over all, added up over the tokens of a group,
//   and the squares of their logsumexps.
//   grid groups; block 256; dynamic shared memory: 8 * 2 * columns floats.
// load_add: load [2, experts] fp32 (+)= the rows of each expert, and the sums of all groups; where there are squares, load[2, 0] (+)=
//   theirs. grid 1; block 256.
// load_loss: loss += factor / loss scale times the sum over experts of load[0, e] load[1, e], and square_factor / loss scale times
//   load[2, 0], where that is not 0. grid 1; block 32.
// logits [tokens, columns] fp32, of which the first `experts` are those of experts; a group has group_tokens tokens; first [experts + 1]
// int32, the first row of each expert. fp32, sums over groups in fp64, rounded once.
#include "routing_scores.cuh"

extern "C" __global__ void __launch_bounds__(256)
    load_group(const float* all, float* sums, int32 tokens, int32 experts, int32 columns, int32 group_tokens)
{
    DYNAMIC_SHARED(memory);
    __shared__ float squares[Warps];
    const int32 lane = threadIdx.x % 32;
    const int32 warp = threadIdx.x / 32;
    float* scores = reinterpret_cast<float*>(memory) + warp * 2 * columns;
    float* likely = scores + columns;
    for (int32 e = lane; e < experts; e += 32)
    {
        likely[e] = 0;
    }

    float mine = 0;
    const int32 first = blockIdx.x * group_tokens;
    const int32 end = tokens - first < group_tokens ? tokens : first + group_tokens;
    for (int32 t = first + warp; t < end; t += Warps)
    {
        const float log_sum = probabilities(experts, all + (int64)t * columns, scores);
        mine += log_sum * log_sum;
        for (int32 e = lane; e < experts; e += 32)
        {
            likely[e] += scores[e];
        }
    }

    if (lane == 0)
    {
        squares[warp] = mine;
    }

    block_barrier();
    for (int32 e = threadIdx.x; e <= experts; e += 256)
    {
        float sum = 0;
        for (int32 w = 0; w < Warps; w++)
        {
            sum += e == experts ? squares[w] : reinterpret_cast<float*>(memory)[(w * 2 + 1) * columns + e];
        }

        sums[(int64)blockIdx.x * (experts + 1) + e] = sum;
    }
}
EXPORT_KERNEL(load_group)

extern "C" __global__ void __launch_bounds__(256)
    load_add(const float* sums, const int32* first, float* load, int32 groups, int32 experts, int32 adds, int32 with_squares)
{
    for (int32 e = threadIdx.x; e < experts + with_squares; e += 256)
    {
        double sum = adds != 0 ? load[experts + e] : 0.0f;
        for (int32 g = 0; g < groups; g++)
        {
            sum += sums[(int64)g * (experts + 1) + e];
        }

        load[experts + e] = (float)sum;
        if (e < experts)
        {
            load[e] = (float)(first[e + 1] - first[e]) + (adds != 0 ? load[e] : 0.0f);
        }
    }
}
EXPORT_KERNEL(load_add)

extern "C" __global__ void __launch_bounds__(32) load_loss(const float* load, float* loss, const StepBlock* step, int32 experts,
    float factor, float square_factor)
{
    double sum = 0;
    for (int32 e = threadIdx.x; e < experts; e += 32)
    {
        sum += (double)load[e] * load[experts + e];
    }

    sum = warp_sum(sum);
    if (threadIdx.x == 0 && step->loss_scale > 0)
    {
        *loss = (float)(*loss + sum * factor / step->loss_scale);
        if (square_factor > 0)
        {
            *loss = (float)(*loss + (double)load[2 * experts] * square_factor / step->loss_scale);
        }
    }
}
EXPORT_KERNEL(load_loss)
