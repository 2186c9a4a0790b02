#include <algorithm>

#include "kernel_test.h"
#include "logit_map.h"

namespace
{

// Blocks of a vocabulary begin at these ids, the first at 0.
struct Shape
{
    int rows;
    int vocab;
    std::vector<int> starts;
    bool weighted = false;

    int end(size_t block) const { return block + 1 < starts.size() ? starts[block + 1] : vocab; }
};

std::string name_of(const Shape& shape)
{
    return std::to_string(shape.rows) + " rows of " + std::to_string(shape.vocab) + " in " + std::to_string(shape.starts.size()) +
           " blocks";
}

// The largest logit lies in the last block of some rows, in the first of others, and far above all else in the first row.
std::vector<float> logits_of(const Shape& shape, float scale)
{
    Numbers numbers(shape.vocab);
    std::vector<float> logits = numbers.many<float>(static_cast<size_t>(shape.rows) * shape.vocab, scale);
    for (int r = 0; r < shape.rows; r++)
    {
        for (int j = 0; r % 3 != 0 && j < shape.vocab; j++)
        {
            logits[static_cast<size_t>(r) * shape.vocab + j] +=
                (r % 3 == 1 ? 30.0f : -30.0f) * static_cast<float>(j) / static_cast<float>(shape.vocab);
        }
    }

    logits[shape.vocab / 2] = 5 * scale;
    logits[shape.vocab / 3] = -1e30f;
    return logits;
}

// First and last ids of blocks among them.
std::vector<int> targets_of(const Shape& shape)
{
    std::vector<int> targets(shape.rows);
    for (int r = 0; r < shape.rows; r++)
    {
        const size_t block = static_cast<size_t>(r) / 4 % shape.starts.size();
        targets[r] = r % 4 == 2 ? -1 : r % 4 == 1 ? shape.end(block) - 1 : r % 4 == 3 ? shape.starts[block] : r * 7919 % shape.vocab;
    }

    return targets;
}

// Of either sign.
std::vector<float> weights_of(const Shape& shape)
{
    std::vector<float> weights;
    for (int r = 0; r < shape.rows; r++)
    {
        weights.push_back(shape.weighted ? (r % 3 == 1 ? -0.37f : 1.75f) * static_cast<float>(1 + r % 5) : 1.0f);
    }

    return weights;
}

// What kernels take: null where there are none.
const float* given(const Shape& shape, const Array<float>& weights) { return shape.weighted ? weights.device() : nullptr; }

std::vector<float> columns_of(const std::vector<float>& logits, const Shape& shape, int first, int end)
{
    std::vector<float> part;
    for (int r = 0; r < shape.rows; r++)
    {
        const auto row = logits.begin() + static_cast<long>(r) * shape.vocab;
        part.insert(part.end(), row + first, row + end);
    }

    return part;
}

uint32_t threads(int columns) { return block_for(divided_up(columns, 16), 64, 512); }

// Largest, sum and the target's logit of each row over the ids below `end`, in float64; `size` is what the sum's roundings go by.
struct Definition
{
    double most = -INFINITY, sum = 0, size = 0, at_target = NAN;

    Definition(const float* raw, int end, int target, const LogitMap& map)
    {
        std::vector<double> row(raw, raw + end);
        std::transform(row.begin(), row.end(), row.begin(), map);
        for (int j = 0; j < end; j++)
        {
            most = std::fmax(most, row[j]);
            at_target = j == target ? row[j] : at_target;
        }

        for (int j = 0; j < end; j++)
        {
            const double e = std::exp(row[j] - most);
            sum += e;

            // logit - maximum is rounded to fp32 before the exponential is taken.
            size += e == 0 ? 0 : e * (8 + std::fabs(row[j] - most) + map.slack(row[j]) + map.slack(most));
        }
    }
};

void check_statistics(const std::vector<float>& statistics, const std::vector<float>& logits, const std::vector<int>& targets,
    const Shape& shape, int stride, size_t block, const LogitMap& map)
{
    const std::string where = ", block " + std::to_string(block) + ", " + name_of(shape);
    for (int r = 0; r < shape.rows; r++)
    {
        const float largest = statistics[r], sum = statistics[r + stride], at_target = statistics[r + 2 * stride];
        if (targets[r] < 0)
        {
            check(largest == 0 && sum == 0 && at_target == 0, "a row that is not counted has statistics" + where);
            continue;
        }

        const Definition expected(&logits[static_cast<size_t>(r) * shape.vocab], shape.end(block), targets[r], map);
        check_close(largest, expected.most, map.slack(expected.most), 1, "the largest logit" + where);
        check_close(sum, expected.sum, expected.size, 2 + static_cast<double>(block), "sum" + where);
        check(std::isnan(expected.at_target) == std::isnan(at_target), "the target's logit is there too early or too late" + where);
        if (!std::isnan(at_target))
        {
            check_close(at_target, expected.at_target, map.slack(expected.at_target), 1, "the target's logit" + where);
        }
    }
}

// Statistics of all blocks, each checked; what lies between the three arrays stays as it is.
std::vector<float> run_statistics(const std::vector<float>& logits, const std::vector<int>& targets, const Shape& shape, uint64_t seed,
    const LogitMap& map = {})
{
    const int stride = shape.rows + 3;
    const std::vector<float> old(static_cast<size_t>(stride) * 3, 7.5f);
    Array<float> statistics(old);
    Array<int> device_targets(targets);
    for (size_t b = 0; b < shape.starts.size(); b++)
    {
        const int first = shape.starts[b], columns = shape.end(b) - first;
        Array<float> block(columns_of(logits, shape, first, shape.end(b)));
        kernel("cross_entropy", "cross_entropy_statistics" + map.suffix(), seed)
            .run({static_cast<uint32_t>(shape.rows)}, {threads(columns)}, 0, block.device(), device_targets.device(), statistics.device(),
                map.scale, map.cap, first, columns, static_cast<int64_t>(stride), b == 0 ? 0 : 1);
        check_statistics(statistics.host(), logits, targets, shape, stride, b, map);
    }

    const std::vector<float> result = statistics.host();
    for (int i = 0; i < 3 * stride; i++)
    {
        check(i % stride < shape.rows || result[i] == old[i], "something beside the statistics was written, " + name_of(shape));
    }

    return result;
}

// Loss and gradient of the whole by the kernel that has all logits at once.
struct Whole
{
    float loss;
    std::vector<float> gradient;

    Whole(const std::vector<float>& logits, const std::vector<int>& targets, const Shape& shape, const Array<StepBlock>& step,
        const LogitMap& map)
    {
        const Array<float> weights(weights_of(shape));
        Array<float> device_logits(logits), output(logits.size()), total(1);
        Array<int> device_targets(targets);
        Array<double> row_loss(shape.rows);
        kernel("cross_entropy", "cross_entropy_" + map.infix() + "f32")
            .run({static_cast<uint32_t>(shape.rows)}, {threads(shape.vocab)}, 0, device_logits.device(), device_targets.device(),
                given(shape, weights), step.device(), output.device(), row_loss.device(), map.scale, map.cap, shape.vocab,
                static_cast<int64_t>(shape.vocab));
        kernel("cross_entropy", "cross_entropy_loss").run({1}, {256}, 0, row_loss.device(), total.device(), shape.rows, 0);
        loss = total.host()[0];
        gradient = output.host();
    }
};

// The gradient of a block of logits, in their place where that is allowed.
template <typename T> std::vector<T> run_gradient(const std::vector<float>& logits, const Array<int>& targets, const Array<StepBlock>& step,
    const Array<float>& statistics, const Shape& shape, size_t block, bool in_place,
    const LogitMap& map)
{
    const Array<float> weights(weights_of(shape));
    const int first = shape.starts[block], columns = shape.end(block) - first;
    Array<float> device_logits(columns_of(logits, shape, first, shape.end(block)));
    Array<T> output(static_cast<size_t>(shape.rows) * columns);
    T* to = in_place ? reinterpret_cast<T*>(device_logits.device()) : output.device();
    kernel("cross_entropy", "cross_entropy_gradient_" + map.infix() + Type<T>::Name)
        .run({static_cast<uint32_t>(shape.rows)}, {threads(columns)}, 0, device_logits.device(), targets.device(),
            given(shape, weights), step.device(), static_cast<const float*>(statistics.device()), to, map.scale, map.cap, first, columns,
            static_cast<int64_t>(shape.rows + 3));
    if constexpr (std::is_same_v<T, float>)
    {
        return in_place ? device_logits.host() : output.host();
    }
    else
    {
        return output.host();
    }
}

template <typename T> void check_shape(const Shape& shape, float scale, bool in_place = false, const LogitMap& map = {})
{
    const std::vector<float> logits = logits_of(shape, scale);
    const std::vector<int> targets = targets_of(shape);
    StepBlock values = {};
    values.loss_scale = 1.0f / 1024;
    Array<StepBlock> step(std::vector<StepBlock>{values});
    Array<int> device_targets(targets);
    Array<float> statistics(run_statistics(logits, targets, shape, 1, map)), loss(1);
    const Whole whole(logits, targets, shape, step, map);

    const std::vector<float> weights = weights_of(shape);
    const Array<float> device_weights(weights);
    std::vector<Definition> rows;
    double total = 0, size = 0;
    for (int r = 0; r < shape.rows; r++)
    {
        rows.emplace_back(&logits[static_cast<size_t>(r) * shape.vocab], shape.vocab, targets[r], map);
        const double lse = rows[r].most + std::log(rows[r].sum);
        total += targets[r] < 0 ? 0 : weights[r] * (lse - rows[r].at_target);
        size += targets[r] < 0 ? 0 : std::fabs(weights[r]) * (rows[r].size / rows[r].sum + std::fabs(lse) + map.slack(2 * rows[r].most));
    }

    kernel("cross_entropy", "cross_entropy_statistics_loss")
        .run({1}, {1024}, 0, device_targets.device(), given(shape, device_weights), static_cast<const float*>(statistics.device()),
            loss.device(), shape.rows, static_cast<int64_t>(shape.rows + 3));
    check_close(loss.host()[0], total, size, 2, "loss, " + name_of(shape));
    check_close(loss.host()[0], whole.loss, size, 2, "loss beside the whole's, " + name_of(shape));

    for (size_t b = 0; b < shape.starts.size(); b++)
    {
        const std::vector<T> result = run_gradient<T>(logits, device_targets, step, statistics, shape, b, in_place, map);
        const int columns = shape.end(b) - shape.starts[b];
        for (size_t i = 0; i < result.size(); i++)
        {
            const int r = static_cast<int>(i / columns), j = static_cast<int>(i % columns) + shape.starts[b];
            const size_t at = static_cast<size_t>(r) * shape.vocab + j;
            const double logit = map(logits[at]), most = rows[r].most, slope = map.slope(logits[at]), hot = j == targets[r] ? 1 : 0;
            const double p = targets[r] < 0 ? 0 : std::exp(logit - most) / rows[r].sum, slack = map.slack(logit) + map.slack(most);
            const double moved = p == 0 ? 0 : p * (8 + std::fabs(logit - most) + slack) + (8 + slack) * hot;
            const double allowed = (moved * slope + std::fabs(p - hot) * map.slope_slack()) * values.loss_scale * std::fabs(weights[r]);
            const std::string where = "gradient " + std::to_string(j) + " of row " + std::to_string(r) + ", " + name_of(shape);
            check_close(result[i], (p - hot) * slope * values.loss_scale * weights[r], allowed, 2, where);
            check_close(result[i], whole.gradient[at], allowed, 2, where + ", beside the whole's");
        }
    }
}

} // namespace

TEST(CrossEntropyOfTwoBlocksIsThatOfTheWhole)
{
    check_shape<float>({9, 4096, {0, 2048}}, 4);
    check_shape<Bf16>({9, 4096, {0, 2048}}, 4);
    check_shape<Bf16>({300, 320, {0, 256}}, 30);
    check_shape<float>({13, 320, {0, 256}}, 4, true);
}

TEST(CrossEntropyOfThreeBlocksIsThatOfTheWhole)
{
    check_shape<float>({14, 2560, {0, 1024, 2048}}, 4);
    check_shape<Bf16>({14, 2560, {0, 1024, 2048}}, 4);
    check_shape<Bf16>({3, 50264, {0, 16768, 33536}}, 8);
    check_shape<float>({1100, 24, {0, 8, 16}}, 4);
}

TEST(CrossEntropyOfBlocksTakesRowsThatAreNoMultiplesOf16Bytes)
{
    check_shape<float>({13, 257, {0, 128, 256}}, 4);
    check_shape<Bf16>({13, 1031, {0, 512}}, 4);
    check_shape<float>({13, 1031, {0, 512}}, 4, true);
    check_shape<Bf16>({13, 300, {0, 128, 256}}, 4);
    check_shape<float>({13, 9, {0, 3, 4}}, 4);
}

TEST(CrossEntropyOfBlocksScalesAndCapsLogits)
{
    const LogitMap maps[] = {{0.0625f, 0}, {1, 30}, {2.5f, 12}};
    for (const LogitMap& map : maps)
    {
        check_shape<float>({9, 4096, {0, 2048}}, 4, false, map);
        check_shape<Bf16>({9, 1031, {0, 512}}, 4, false, map);
        check_shape<float>({13, 320, {0, 256}}, 4, true, map);
    }
}

TEST(CrossEntropyOfBlocksWeighsEachTarget)
{
    check_shape<float>({14, 2560, {0, 1024, 2048}, true}, 4);
    check_shape<Bf16>({13, 1031, {0, 512}, true}, 4);
    check_shape<float>({13, 320, {0, 256}, true}, 4, true, {2.5f, 12});
}

TEST(CrossEntropyOfOneBlockIsThatOfTheWhole) { check_shape<Bf16>({5, 4096, {0}}, 4); }

TEST(CrossEntropyStatisticsDoNotDependOnTheOrderOfThreads)
{
    const Shape shape = {9, 5000, {0, 2048, 4096}};
    const std::vector<float> logits = logits_of(shape, 4);
    const std::vector<int> targets = targets_of(shape);
    Array<int> device_targets(targets);
    const std::vector<float> first = run_statistics(logits, targets, shape, 5);
    check_same(run_statistics(logits, targets, shape, 6), first, "statistics");
    Array<float> statistics(first);
    std::vector<float> losses[2];
    for (int i = 0; i < 2; i++)
    {
        Array<float> loss(1);
        kernel("cross_entropy", "cross_entropy_statistics_loss", 5 + i).run({1}, {1024}, 0, device_targets.device(),
            static_cast<const float*>(nullptr), static_cast<const float*>(statistics.device()), loss.device(), shape.rows,
            static_cast<int64_t>(shape.rows + 3));
        losses[i] = loss.host();
    }

    check_same(losses[0], losses[1], "losses");
}
