// routing.cu: what is chosen, in which order its rows lie, and the gradient of logits.
#include <algorithm>
#include <numeric>

#include "kernel_test.h"

namespace
{

struct Choice
{
    std::vector<int> experts;
    std::vector<double> weights;
};

// Experts lie in so many groups, of which a token has those of some.
struct Groups
{
    int count = 1;
    int admitted = 1;
};

// Experts that may be chosen: of the groups whose best score, or sum of the two best logistic ones, is largest.
std::vector<bool> admitted(const std::vector<float>& logits, int experts, int mode, Groups groups)
{
    const int size = experts / groups.count;
    std::vector<bool> result(experts, groups.count == 1);
    std::vector<double> scores;
    for (int g = 0; groups.count > 1 && g < groups.count; g++)
    {
        std::vector<double> of;
        for (int e = g * size; e < (g + 1) * size; e++)
        {
            of.push_back(mode >= 2 ? 1 / (1 + std::exp(-static_cast<double>(logits[e]))) : logits[e]);
        }

        std::sort(of.rbegin(), of.rend());
        scores.push_back(mode >= 2 ? of[0] + of[1] : of[0]);
    }

    for (int i = 0; groups.count > 1 && i < groups.admitted; i++)
    {
        const auto best = std::max_element(scores.begin(), scores.end());
        std::fill_n(result.begin() + (best - scores.begin()) * size, size, true);
        *best = -INFINITY;
    }

    return result;
}

// The definition: scores in float64, and the derivative of weights by differences of nothing but formulas.
Choice choose(const std::vector<float>& logits, int experts, int per_token, int mode, double scale, Groups groups)
{
    Choice choice;
    const std::vector<bool> may = admitted(logits, experts, mode, groups);
    for (int j = 0; j < per_token; j++)
    {
        int best = -1;
        for (int e = 0; e < experts; e++)
        {
            const bool taken = std::find(choice.experts.begin(), choice.experts.end(), e) != choice.experts.end();
            best = may[e] && !taken && (best < 0 || logits[e] > logits[best]) ? e : best;
        }

        choice.experts.push_back(best);
    }

    const auto raw = [&](int e) {
        return mode >= 2 ? 1 / (1 + std::exp(-static_cast<double>(logits[e]))) : std::exp(static_cast<double>(logits[e]));
    };
    double sum = mode == 2 ? 1 : 0;
    for (int e = 0; mode == 0 && e < experts; e++)
    {
        sum += raw(e);
    }

    for (int e : choice.experts)
    {
        sum += mode == 1 || mode == 3 ? raw(e) : 0;
    }

    for (int e : choice.experts)
    {
        choice.weights.push_back(scale * raw(e) / sum);
    }

    return choice;
}

template <typename T> void check_routing(int tokens, int experts, int per_token, int gated, int mode, int kind, Groups groups_of = {})
{
    const int columns = experts + gated, rows = tokens * per_token, group = std::max(32, static_cast<int>(divided_up(tokens, 128)));
    const uint32_t groups = divided_up(tokens, group), blocks = divided_up(tokens, 8), shared = 8 * 2 * columns * 4;
    const float scale = 1.5f;
    const std::string where = std::to_string(tokens) + " tokens, " + std::to_string(per_token) + " of " + std::to_string(experts)
        + " experts, mode " + std::to_string(mode);
    Numbers numbers(experts + mode);
    std::vector<float> logits = numbers.many<float>(static_cast<size_t>(tokens) * columns, 4);
    for (size_t i = 0; i < logits.size(); i++)
    {
        // All alike, so that the lower index wins; or all on the last expert.
        logits[i] = kind == 1 ? 0.5f : kind == 2 && static_cast<int>(i % columns) == experts - 1 ? 9.0f : logits[i];
    }

    const std::vector<float> grads = numbers.many<float>(rows), grad_shared = numbers.many<float>(tokens);
    Array<float> device_logits(logits), by_choice(rows), weights(rows), shared_weights(tokens), device_grads(grads),
        device_grad_shared(grad_shared);
    Array<int> choices(rows), places(rows), row_tokens(rows), counts(static_cast<size_t>(groups) * experts), first(experts + 1);
    Array<T> gradient(logits.size());
    const float* no_load = nullptr; // and no correction
    kernel("routing", "routing_choose").run({blocks}, {256}, shared, device_logits.device(), no_load, choices.device(), by_choice.device(),
        shared_weights.device(), tokens, experts, per_token, gated, mode, scale, groups_of.count, groups_of.admitted);
    kernel("routing", "routing_count").run({groups}, {256}, 0, choices.device(), counts.device(), tokens, experts, per_token, group);
    kernel("routing", "routing_scan").run({1}, {256}, 0, counts.device(), first.device(), static_cast<int>(groups), experts);
    kernel("routing", "routing_place").run({groups}, {256}, 0, choices.device(), by_choice.device(), counts.device(), places.device(),
        row_tokens.device(), weights.device(), tokens, experts, per_token, group);
    kernel("routing", std::string("routing_backward_") + Type<T>::Name).run({blocks}, {256}, shared, device_logits.device(),
        choices.device(), places.device(), device_grads.device(), device_grad_shared.device(), no_load, 0.0f, 0.0f, gradient.device(),
        tokens, experts, per_token, gated, mode, scale);

    const std::vector<int> chosen = choices.host(), at = places.host(), of = row_tokens.host(), begin = first.host();
    const std::vector<float> got = weights.host(), gate = gated != 0 ? shared_weights.host() : std::vector<float>();
    const std::vector<T> d = gradient.host();
    std::vector<int> expected(experts + 1), taken(rows);
    for (int e : chosen)
    {
        expected[e + 1]++;
    }

    std::partial_sum(expected.begin(), expected.end(), expected.begin());
    check(begin == expected, "rows of experts, " + where);
    for (int e = 0; e < experts; e++)
    {
        check(std::is_sorted(of.begin() + begin[e], of.begin() + begin[e + 1]), "rows of an expert are not in the order of tokens");
    }

    for (int t = 0; t < tokens; t++)
    {
        const std::vector<float> z(&logits[static_cast<size_t>(t) * columns], &logits[static_cast<size_t>(t) * columns] + columns);
        const Choice choice = choose(z, experts, per_token, mode, scale, groups_of);
        std::vector<double> g(experts);
        double mean = 0;
        for (int j = 0; j < per_token; j++)
        {
            const int i = t * per_token + j, e = choice.experts[j];
            check(chosen[i] == e, "choice, " + where);
            check(at[i] >= begin[e] && at[i] < begin[e + 1] && of[at[i]] == t && taken[at[i]]++ == 0, "place, " + where);
            check_close(got[at[i]], choice.weights[j], choice.weights[j], 16, "weight, " + where);
            mean += grads[at[i]] * choice.weights[j] / scale;
            g[e] = grads[at[i]];
        }

        for (int e = 0; e < experts; e++)
        {
            // A weight w = scale s / (the sum of what it is divided by), so that its derivative is that of log s less a mean.
            const double raw = mode >= 2 ? 1 / (1 + std::exp(-static_cast<double>(z[e]))) : 0;
            const auto found = std::find(choice.experts.begin(), choice.experts.end(), e);
            const double w = found == choice.experts.end() ? 0 : choice.weights[found - choice.experts.begin()];
            double expected_d = mode == 0 ? 0
                : mode == 1               ? w * (g[e] - mean)
                : mode == 2               ? w * g[e] * (1 - raw)
                                          : w * (g[e] - mean) * (1 - raw);
            if (mode == 0)
            {
                double all = 0;
                for (int o = 0; o < experts; o++)
                {
                    all += std::exp(static_cast<double>(z[o]));
                }

                expected_d = scale * std::exp(static_cast<double>(z[e])) / all * (g[e] - mean);
            }

            check_close(d[static_cast<size_t>(t) * columns + e], expected_d, 4 * scale, 8, "gradient of a logit, " + where);
        }

        if (gated != 0)
        {
            const double s = 1 / (1 + std::exp(-static_cast<double>(z[experts])));
            check_close(gate[t], s, s, 8, "gate, " + where);
            const T of_gate = d[static_cast<size_t>(t) * columns + experts];
            check_close(of_gate, grad_shared[t] * s * (1 - s), 1, 8, "gradient of the gate, " + where);
        }
    }
}

} // namespace

TEST(RoutingOrdersEveryTokensExpertsAndItsGradientIsThatOfTheWeights)
{
    for (int mode = 0; mode < 4; mode++)
    {
        check_routing<float>(50, 8, 2, 0, mode, 0);
        check_routing<float>(70, 60, 4, 1, mode, 0);
        check_routing<Bf16>(9, 300, 8, 1, mode, 0);
        check_routing<float>(33, 6, 6, 0, mode, 0);
        check_routing<float>(40, 7, 1, 0, mode, 2);
        check_routing<float>(40, 33, 3, 0, mode, 1);
        check_routing<float>(40, 8, 3, 0, mode, 0, {4, 2});
        check_routing<Bf16>(17, 256, 8, 1, mode, 0, {8, 4});
        check_routing<float>(9, 80, 5, 0, mode, 0, {40, 3});
        check_routing<float>(9, 12, 4, 0, mode, 1, {3, 2});
    }
}
