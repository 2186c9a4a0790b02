#include <algorithm>

#include "kernel_test.h"
#include "logit_map.h"

namespace
{

struct Shape
{
    int rows;
    int vocab;
    int stride;
    bool weighted = false;
};

std::string name_of(const Shape& shape)
{
    return std::to_string(shape.rows) + " rows of " + std::to_string(shape.vocab) + " in " + std::to_string(shape.stride);
}

// What lies beyond the vocabulary is NaN and must not matter.
std::vector<float> logits_of(const Shape& shape, float scale)
{
    Numbers numbers(shape.vocab);
    std::vector<float> logits = numbers.many<float>(static_cast<size_t>(shape.rows) * shape.stride, scale);
    for (size_t i = 0; i < logits.size(); i++)
    {
        logits[i] = static_cast<int>(i % shape.stride) < shape.vocab ? logits[i] : NAN;
    }

    // One logit far above the others, one far below, one row whose first logits are all low.
    logits[shape.vocab / 2] = 5 * scale;
    logits[shape.vocab / 3] = -1e30f;
    for (int i = 0; i < shape.vocab / 2; i++)
    {
        logits[static_cast<size_t>(shape.rows - 1) * shape.stride + i] -= 50;
    }

    return logits;
}

std::vector<int> targets_of(const Shape& shape)
{
    std::vector<int> targets(shape.rows);
    for (int r = 0; r < shape.rows; r++)
    {
        targets[r] = r % 4 == 2 ? -1 : r % 4 == 1 ? shape.vocab - 1 : r * 7919 % shape.vocab;
    }

    return targets;
}

// Of either sign, and far from 1; null where there are none.
std::vector<float> weights_of(const Shape& shape)
{
    std::vector<float> weights;
    for (int r = 0; r < shape.rows; r++)
    {
        weights.push_back(shape.weighted ? (r % 3 == 1 ? -0.37f : 1.75f) * static_cast<float>(1 + r % 5) : 1.0f);
    }

    return weights;
}

template <typename T> void check_shape(const Shape& shape, float scale, bool in_place = false, const LogitMap& map = {})
{
    const std::vector<float> logits = logits_of(shape, scale);
    const std::vector<int> targets = targets_of(shape);
    StepBlock step = {};
    step.loss_scale = 1.0f / 1024;
    Array<float> device_logits(logits), loss(std::vector<float>{3.5f});
    const std::vector<float> weights = weights_of(shape);
    Array<float> device_weights(weights);
    const float* given = shape.weighted ? device_weights.device() : nullptr;
    Array<int> device_targets(targets);
    Array<StepBlock> device_step(std::vector<StepBlock>{step});
    Array<T> output(logits.size());
    Array<double> row_loss(shape.rows);
    T* gradient = in_place ? reinterpret_cast<T*>(device_logits.device()) : output.device();
    const uint32_t rows = shape.rows, block = block_for(divided_up(shape.vocab, 16), 64, 512);
    const auto entropy = kernel("cross_entropy", "cross_entropy_" + map.infix() + Type<T>::Name);
    entropy.run({rows}, {block}, 0, device_logits.device(), device_targets.device(), given, device_step.device(),
        static_cast<T*>(nullptr), row_loss.device(), map.scale, map.cap, shape.vocab, static_cast<int64_t>(shape.stride));
    const std::vector<double> losses_alone = row_loss.host();
    entropy.run({rows}, {block}, 0, device_logits.device(), device_targets.device(), given, device_step.device(), gradient,
        row_loss.device(), map.scale, map.cap, shape.vocab, static_cast<int64_t>(shape.stride));
    const std::vector<double> losses = row_loss.host();
    check_same(losses, losses_alone, "losses with and without a gradient");
    std::vector<T> result;
    if constexpr (std::is_same_v<T, float>)
    {
        result = in_place ? device_logits.host() : output.host();
    }
    else
    {
        result = output.host();
    }

    double total = 0, size = 0;
    for (int r = 0; r < shape.rows; r++)
    {
        const float* raw = &logits[static_cast<size_t>(r) * shape.stride];
        std::vector<double> row(raw, raw + shape.vocab);
        std::transform(row.begin(), row.end(), row.begin(), map);
        double most = -INFINITY, sum = 0;
        for (int j = 0; j < shape.vocab; j++)
        {
            most = std::fmax(most, row[j]);
        }

        for (int j = 0; j < shape.vocab; j++)
        {
            sum += std::exp(row[j] - most);
        }

        const double lse = most + std::log(sum), weight = weights[r],
                     expected = targets[r] < 0 ? 0 : weight * (lse - row[targets[r]]);
        total += expected;
        size += std::fabs(expected);
        const double loss_error = std::fabs(losses[r] - expected);
        const double loss_allowed = 1e-6 + std::fabs(weight) * (std::fabs(lse) * 2 + map.slack(2 * most)) * 0x1p-24;
        check(loss_error <= (targets[r] < 0 ? 0 : loss_allowed), "loss off by " + std::to_string(loss_error) + ", " + name_of(shape));
        for (int j = 0; j < shape.stride; j++)
        {
            const double p = j < shape.vocab && targets[r] >= 0 ? std::exp(row[j] - lse) : 0;
            const double slope = j < shape.vocab ? map.slope(raw[j]) : 0;
            const double wanted = (p - (j == targets[r] ? 1 : 0)) * step.loss_scale * weight * slope;

            // logit - maximum is rounded to fp32 before the exponential is taken.
            const double moved = p == 0 ? 0 : 8 + std::fabs(row[j] - most) + map.slack(row[j]) + map.slack(most);
            const double rounded = p * moved + (j == targets[r] ? 8 + map.slack(most) : 0);
            const double flat = std::fabs(p - (j == targets[r] ? 1 : 0)) * map.slope_slack();
            const double allowed = (rounded * slope + flat) * step.loss_scale * std::fabs(weight);
            check_close(result[static_cast<size_t>(r) * shape.stride + j], wanted, allowed, 2,
                "gradient " + std::to_string(j) + ", " + name_of(shape));
        }
    }

    for (int accumulate : {0, 1})
    {
        const float before = loss.host()[0];
        kernel("cross_entropy", "cross_entropy_loss").run({1}, {256}, 0, row_loss.device(), loss.device(), shape.rows, accumulate);
        check_close(loss.host()[0], total + (accumulate ? before : 0), size + std::fabs(before), 16, "loss, " + name_of(shape));
    }
}

} // namespace

TEST(CrossEntropyIsItsDefinition)
{
    for (int vocab : {256, 320, 4096})
    {
        check_shape<float>({7, vocab, vocab}, 4);
        check_shape<Bf16>({7, vocab, vocab}, 4);
    }

    check_shape<float>({3, 4, 4}, 1);
    check_shape<Bf16>({300, 64, 64}, 30);
}

TEST(CrossEntropyTakesRowsThatAreNoMultiplesOf16Bytes)
{
    for (int vocab : {3, 257, 300, 1031})
    {
        check_shape<float>({7, vocab, vocab}, 4);
        check_shape<Bf16>({7, vocab, vocab}, 4);
    }
}

TEST(CrossEntropyIgnoresWhatPadsRows)
{
    check_shape<float>({5, 257, 260}, 4);
    check_shape<Bf16>({5, 257, 264}, 4);
    check_shape<Bf16>({5, 257, 384}, 4);
    check_shape<Bf16>({3, 50257, 50264}, 8);
    check_shape<float>({2, 50257, 50304}, 8);
}

TEST(CrossEntropyOfVocabulariesAboveAHundredThousand)
{
    check_shape<Bf16>({3, 128256, 128256}, 8);
    check_shape<float>({2, 151936, 151936}, 20);
}

TEST(CrossEntropyScalesAndCapsLogits)
{
    const LogitMap maps[] = {{0.0625f, 0}, {1, 30}, {2.5f, 12}};
    for (const LogitMap& map : maps)
    {
        check_shape<float>({7, 4096, 4096}, 20, false, map);
        check_shape<Bf16>({7, 320, 320}, 20, false, map);
        check_shape<float>({7, 257, 260}, 20, false, map);
        check_shape<float>({7, 300, 300}, 20, true, map);
    }
}

TEST(CrossEntropyMayReplaceTheLogits)
{
    check_shape<float>({7, 4096, 4096}, 4, true);
    check_shape<float>({7, 257, 257}, 4, true);
}

TEST(CrossEntropyWeighsEachTarget)
{
    check_shape<float>({7, 4096, 4096, true}, 4);
    check_shape<Bf16>({300, 64, 64, true}, 30);
    check_shape<Bf16>({7, 257, 264, true}, 4);
    check_shape<float>({7, 300, 300, true}, 20, true, {2.5f, 12});
}
