// The choice of experts, and the order of the rows that they compute.
//
// logits [tokens, columns] fp32, of which the first `experts` are chosen by, `per_token` of each token; where `gated`, one more is the gate
// of an expert that every token has. A token's experts are those of its largest logits, on a tie the lower index; rows are ordered by
// expert, those of one by token. Where experts lie in several `groups` of equal size, they are of the best `admitted` groups, on a tie
// those of lower index: a group counts by its best expert, or by the sum of its two best in modes 2 and 3. Where there is a correction
// [experts] fp32, they are those of the largest score plus correction, the score being the softmax over all experts in modes 0 and 1.
// Scores: softmax over all experts (mode 0) or over the chosen ones (mode 1); the logistic function of each
// (mode 2), divided by their sum over the chosen ones (mode 3). Weights are scores times `scale`.
//
// routing_choose: choices [tokens, per_token] int32, the largest first; by_choice [tokens, per_token] fp32, their weights; shared [tokens]
//   fp32, the logistic function of the gate, where there is one. Overwritten. A warp a token: grid ceil(tokens / 8); block 256.
// routing_count: counts [groups, experts] int32, how often the tokens of a group choose each expert. grid groups; block 256.
// routing_scan: counts become the first row of each group and expert; first [experts + 1] int32 the first row of each expert, and the
//   number of all. grid 1; block 256.
// routing_place: places [tokens, per_token] int32, the row of each choice; row_tokens [rows] int32 and weights [rows] fp32, each row's
//   token and weight. counts are used up. grid groups; block 256.
// routing_backward_<f32|bf16>: gradient [tokens, columns] of the logits, from grad_weights [rows] fp32, and grad_shared [tokens] fp32
//   where there is a gate; what is chosen is taken as given. Where there is a load [experts] fp32, the gradient of factor times the sum
//   over experts of load[e] times its probability, the softmax over all, and that of square_factor times the square of the logsumexp are
//   added. A warp a token: grid ceil(tokens / 8); block 256.
// fp32; a group has group_tokens tokens; dynamic shared memory: none, of choose and backward 8 * (2 * columns) floats.
#include "routing_scores.cuh"

// Where the largest of what a warp's lanes hold is, on a tie the lowest of places; a lane without one has place -1.
DEVICE int32 best_of_warp(float best, int32 at)
{
    for (int32 mask = 16; mask > 0; mask >>= 1)
    {
        const float other = shuffle_xor(best, mask);
        const int32 place = (int32)shuffle((uint32)at, (threadIdx.x % 32) ^ mask);

        // Both lanes must keep the same one: where neither is larger, the lower index.
        const bool larger = other > best;
        const bool smaller = best > other;
        const bool takes = place >= 0 && (at < 0 || larger || (!smaller && place < at));
        best = takes ? other : best;
        at = takes ? place : at;
    }

    return at;
}

DEVICE float group_score(const float* by, int32 size, int32 mode)
{
    float first = -INFINITY_F;
    float second = first;
    for (int32 e = 0; e < size; e++)
    {
        second = by[e] > first ? first : fmaxf(second, by[e]);
        first = by[e] > first ? by[e] : first;
    }

    return mode > ChosenSoftmax ? first + second : first;
}

// Of `taken`, in which all experts are 1, those of the best groups become 0. Called by a warp.
DEVICE void admit(const Router& router, const float* by, float* taken, int32 groups, int32 admitted)
{
    const int32 lane = threadIdx.x % 32;
    const int32 size = router.experts / groups;
    for (int32 i = 0; i < admitted; i++)
    {
        float best = 0;
        int32 at = -1;
        for (int32 g = lane; g < groups; g += 32)
        {
            const float score = group_score(by + g * size, size, router.mode);
            if (taken[g * size] != 0 && (at < 0 || score > best))
            {
                best = score;
                at = g;
            }
        }

        at = best_of_warp(best, at);
        warp_barrier();
        for (int32 e = lane; e < size; e += 32)
        {
            taken[at * size + e] = 0;
        }

        warp_barrier();
    }
}

extern "C" __global__ void __launch_bounds__(256) routing_choose(const float* all, const float* correction, int32* choices,
    float* by_choice, float* shared_weights, int32 tokens, int32 experts, int32 per_token, int32 gated, int32 mode, float scale,
    int32 groups, int32 admitted)
{
    DYNAMIC_SHARED(memory);
    const Router router{tokens, experts, per_token, gated, mode, scale};
    const int32 lane = threadIdx.x % 32;
    const int64 token = (int64)blockIdx.x * Warps + threadIdx.x / 32;
    if (token >= tokens)
    {
        return;
    }

    const float* logits = all + token * (experts + gated);
    int32* chosen = choices + token * per_token;
    float* scores = own_shared(reinterpret_cast<float*>(memory), router);
    float* taken = scores + experts + gated;
    const bool by_logits = correction == nullptr && (mode <= ChosenSoftmax || groups == 1);
    const float* by = by_logits ? logits : scores;
    if (!by_logits && mode <= ChosenSoftmax)
    {
        probabilities(experts, logits, scores);
    }

    for (int32 e = lane; e < experts; e += 32)
    {
        taken[e] = groups == 1 ? 0.0f : 1.0f;
        if (!by_logits)
        {
            scores[e] = (mode <= ChosenSoftmax ? scores[e] : logistic(logits[e])) + (correction == nullptr ? 0.0f : correction[e]);
        }
    }

    warp_barrier();
    if (groups > 1)
    {
        admit(router, by, taken, groups, admitted);
    }

    for (int32 j = 0; j < per_token; j++)
    {
        // The first of those that are left, whatever the logits are: not-a-number is no reason to choose one twice.
        float best = 0;
        int32 at = -1;
        for (int32 e = lane; e < experts; e += 32)
        {
            if (taken[e] == 0 && (at < 0 || by[e] > best))
            {
                best = by[e];
                at = e;
            }
        }

        at = best_of_warp(best, at);
        warp_barrier();
        if (lane == 0)
        {
            chosen[j] = at;
            taken[at] = 1;
        }

        warp_barrier();
    }

    const float divisor = score(router, logits, chosen, scores);
    for (int32 j = lane; j < per_token; j += 32)
    {
        by_choice[token * per_token + j] = scale * scores[chosen[j]] / divisor;
    }

    if (gated != 0 && lane == 0)
    {
        shared_weights[token] = logistic(logits[experts]);
    }
}
EXPORT_KERNEL(routing_choose)

// The choices of a group of tokens: so many from the first on.
DEVICE int64 choices_of(int32 tokens, int32 per_token, int32 group_tokens, int32& count)
{
    const int32 first = blockIdx.x * group_tokens;
    count = (tokens - first < group_tokens ? tokens - first : group_tokens) * per_token;
    return (int64)first * per_token;
}

extern "C" __global__ void __launch_bounds__(256)
    routing_count(const int32* choices, int32* counts, int32 tokens, int32 experts, int32 per_token, int32 group_tokens)
{
    int32 count;
    const int32* chosen = choices + choices_of(tokens, per_token, group_tokens, count);
    for (int32 e = threadIdx.x; e < experts; e += 256)
    {
        int32 found = 0;
        for (int32 i = 0; i < count; i++)
        {
            found += chosen[i] == e ? 1 : 0;
        }

        counts[(int64)blockIdx.x * experts + e] = found;
    }
}
EXPORT_KERNEL(routing_count)

extern "C" __global__ void __launch_bounds__(256) routing_scan(int32* counts, int32* first, int32 groups, int32 experts)
{
    for (int32 e = threadIdx.x; e < experts; e += 256)
    {
        int32 sum = 0;
        for (int32 g = 0; g < groups; g++)
        {
            sum += counts[(int64)g * experts + e];
        }

        first[e + 1] = sum;
    }

    block_barrier();
    if (threadIdx.x == 0)
    {
        first[0] = 0;
        for (int32 e = 0; e < experts; e++)
        {
            first[e + 1] += first[e];
        }
    }

    block_barrier();
    for (int32 e = threadIdx.x; e < experts; e += 256)
    {
        int32 next = first[e];
        for (int32 g = 0; g < groups; g++)
        {
            const int32 here = counts[(int64)g * experts + e];
            counts[(int64)g * experts + e] = next;
            next += here;
        }
    }
}
EXPORT_KERNEL(routing_scan)

extern "C" __global__ void __launch_bounds__(256) routing_place(const int32* choices, const float* by_choice, const int32* counts,
    int32* places, int32* row_tokens, float* weights, int32 tokens, int32 experts, int32 per_token, int32 group_tokens)
{
    int32 count;
    const int64 begin = choices_of(tokens, per_token, group_tokens, count);
    for (int32 e = threadIdx.x; e < experts; e += 256)
    {
        int32 next = counts[(int64)blockIdx.x * experts + e];
        for (int32 i = 0; i < count; i++)
        {
            if (choices[begin + i] == e)
            {
                places[begin + i] = next;
                row_tokens[next] = (int32)((begin + i) / per_token);
                weights[next] = by_choice[begin + i];
                next++;
            }
        }
    }
}
EXPORT_KERNEL(routing_place)

template <typename T>
DEVICE void backward(const Router& router, float* memory, const float* all, const int32* choices, const int32* places,
    const float* grad_weights, const float* grad_shared, const float* load, float load_factor, float square_factor, T* gradient)
{
    const int32 lane = threadIdx.x % 32;
    const int64 token = (int64)blockIdx.x * Warps + threadIdx.x / 32;
    if (token >= router.tokens)
    {
        return;
    }

    const int32 columns = router.experts + router.gated;
    const float* logits = all + token * columns;
    const int32* chosen = choices + token * router.per_token;
    const int32* at = places + token * router.per_token;
    float* scores = own_shared(memory, router);
    float* result = scores + columns;
    const float divisor = score(router, logits, chosen, scores);

    // Of a weight scale s / divisor: directly by its score, and by the divisor, which is the sum of the chosen.
    float mean = 0;
    for (int32 j = 0; router.mode == DividedSigmoid && j < router.per_token; j++)
    {
        mean += grad_weights[at[j]] * scores[chosen[j]] / divisor;
    }

    for (int32 e = lane; e < router.experts; e += 32)
    {
        result[e] = 0;
    }

    warp_barrier();
    for (int32 j = lane; j < router.per_token; j += 32)
    {
        result[chosen[j]] = router.scale * (grad_weights[at[j]] - mean) / divisor;
    }

    warp_barrier();
    float along = 0;
    for (int32 e = lane; e < router.experts; e += 32)
    {
        along += result[e] * scores[e];
    }

    along = warp_sum(along);
    for (int32 e = lane; e < router.experts; e += 32)
    {
        const float slope = router.mode <= ChosenSoftmax ? result[e] - along : result[e] * (1.0f - scores[e]);
        result[e] = scores[e] * slope;
    }

    if (load != nullptr)
    {
        const float log_sum = probabilities(router.experts, logits, scores);
        float mean_load = 0;
        for (int32 e = lane; e < router.experts; e += 32)
        {
            mean_load += load[e] * scores[e];
        }

        mean_load = warp_sum(mean_load);
        for (int32 e = lane; e < router.experts; e += 32)
        {
            result[e] += load_factor * scores[e] * (load[e] - mean_load);
            result[e] += 2.0f * square_factor * log_sum * scores[e];
        }
    }

    for (int32 e = lane; e < router.experts; e += 32)
    {
        gradient[token * columns + e] = from_float<T>(result[e]);
    }

    if (router.gated != 0 && lane == 0)
    {
        const float gate = logistic(logits[router.experts]);
        gradient[token * columns + router.experts] = from_float<T>(grad_shared[token] * gate * (1.0f - gate));
    }
}

#define BACKWARD(name, T)                                                                                                          \
    extern "C" __global__ void __launch_bounds__(256) name(const float* logits, const int32* choices, const int32* places,         \
        const float* grad_weights, const float* grad_shared, const float* load, float load_factor, float square_factor,            \
        T* gradient, int32 tokens, int32 experts, int32 per_token, int32 gated, int32 mode, float scale)                           \
    {                                                                                                                              \
        DYNAMIC_SHARED(memory);                                                                                                    \
        const Router router{tokens, experts, per_token, gated, mode, scale};                                                       \
        backward(router, reinterpret_cast<float*>(memory), logits, choices, places, grad_weights, grad_shared, load, load_factor,  \
            square_factor, gradient);                                                                                              \
    }                                                                                                                              \
    EXPORT_KERNEL(name)

BACKWARD(routing_backward_f32, float)
BACKWARD(routing_backward_bf16, bf16)
