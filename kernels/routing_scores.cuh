// What experts are chosen and weighted by: scores of the router's logits, of one token a warp, in shared memory. A part of routing.cu and
// expert_load.cu.
#pragma once

#include "device.cuh"

const int Warps = 8;
const int AllSoftmax = 0;
const int ChosenSoftmax = 1;
const int DividedSigmoid = 3;
const float LeastDivisor = 1e-20f; // as DeepSeek-V3 has it
#define INFINITY_F bits_to_float(0x7f800000u)

struct Router
{
    int32 tokens;
    int32 experts;
    int32 per_token;
    int32 gated;
    int32 mode;
    float scale;
};

DEVICE float logistic(float x) { return 1.0f / (1.0f + expf(-x)); }

// What one warp has of shared memory.
DEVICE float* own_shared(float* shared, const Router& router) { return shared + threadIdx.x / 32 * 2 * (router.experts + router.gated); }

// Scores of one token into shared memory, and what they are to be divided by besides. Called by a warp.
DEVICE float score(const Router& router, const float* logits, const int32* chosen, float* scores)
{
    const int32 lane = threadIdx.x % 32;
    warp_barrier();
    if (router.mode > ChosenSoftmax)
    {
        for (int32 e = lane; e < router.experts; e += 32)
        {
            scores[e] = logistic(logits[e]);
        }

        warp_barrier();
        float sum = LeastDivisor;
        for (int32 j = 0; j < router.per_token; j++)
        {
            sum += scores[chosen[j]];
        }

        return router.mode == DividedSigmoid ? sum : 1.0f;
    }

    for (int32 e = lane; e < router.experts; e += 32)
    {
        scores[e] = 0;
    }

    warp_barrier();
    const float most = logits[chosen[0]];
    const int32 count = router.mode == ChosenSoftmax ? router.per_token : router.experts;
    float sum = 0;
    for (int32 i = lane; i < count; i += 32)
    {
        const int32 e = router.mode == ChosenSoftmax ? chosen[i] : i;
        const float power = expf(logits[e] - most);
        scores[e] = power;
        sum += power;
    }

    sum = warp_sum(sum);
    warp_barrier();
    for (int32 e = lane; e < router.experts; e += 32)
    {
        scores[e] /= sum;
    }

    warp_barrier();
    return 1.0f;
}

// The softmax over all experts into shared memory; yields the logsumexp, in every lane. Called by a warp.
DEVICE float probabilities(int32 experts, const float* logits, float* result)
{
    const int32 lane = threadIdx.x % 32;
    float most = -INFINITY_F;
    for (int32 e = lane; e < experts; e += 32)
    {
        most = fmaxf(most, logits[e]);
    }

    most = warp_max(most);
    float sum = 0;
    for (int32 e = lane; e < experts; e += 32)
    {
        result[e] = expf(logits[e] - most);
        sum += result[e];
    }

    sum = warp_sum(sum);
    for (int32 e = lane; e < experts; e += 32)
    {
        result[e] /= sum;
    }

    return most + logf(sum);
}
