#include <algorithm>

#include "kernel_test.h"

namespace
{

const std::vector<int> First{0, 40, 40, 41, 67};

int group_of(int row) { return static_cast<int>(std::upper_bound(First.begin(), First.end() - 1, row) - First.begin()) - 1; }

// Against the definition in float64: forward with weights and without, sums added to and alone, the weights' gradient.
template <typename T> void check_biases(int columns)
{
    const int rows = First.back();
    const uint32_t groups = static_cast<uint32_t>(First.size()) - 1, grid = rows;
    const size_t count = static_cast<size_t>(rows) * columns;
    const std::string suffix = std::string(Type<T>::Name) + any_rows<T>(columns), where = std::to_string(columns) + " columns";
    Numbers numbers(columns);
    const std::vector<T> x = numbers.many<T>(count), b = numbers.many<T>(groups * columns), g = numbers.many<T>(count),
                         old = numbers.many<T>(groups * columns);
    const std::vector<float> w = numbers.many<float>(rows), old_weights = numbers.many<float>(rows);
    Array<T> weighted(x), plain(x), bias(b), gradient(g), added(old), alone(old.size());
    Array<float> weights(w), grad_weights(old_weights), wide(std::vector<float>(old.size(), 0));
    Array<int> first(First);
    const float* none = nullptr;
    const auto forward = kernel("grouped_bias", "grouped_bias_forward_" + suffix);
    forward.run({grid}, {256}, 0, weighted.device(), bias.device(), first.device(), weights.device(), static_cast<int>(groups), columns);
    forward.run({grid}, {256}, 0, plain.device(), bias.device(), first.device(), none, static_cast<int>(groups), columns);
    const auto sum = kernel("grouped_bias", "grouped_bias_sum_" + suffix);
    const uint32_t strips = divided_up(columns, 32);
    sum.run({strips, groups}, {256}, 0, gradient.device(), first.device(), weights.device(), added.device(), columns, 0.5f, 1);
    sum.run({strips, groups}, {256}, 0, gradient.device(), first.device(), none, alone.device(), columns, 1.0f, 0);
    if (sizeof(T) == 2)
    {
        kernel("grouped_bias", std::string("grouped_bias_sum_bf16_f32") + any_rows<T>(columns))
            .run({strips, groups}, {256}, 0, gradient.device(), first.device(), none, wide.device(), columns, 1.0f, 0);
    }

    kernel("grouped_bias", "grouped_bias_weights_" + suffix)
        .run({grid}, {256}, 0, gradient.device(), bias.device(), first.device(), grad_weights.device(), static_cast<int>(groups), columns,
            0.5f);
    const std::vector<T> y = weighted.host(), z = plain.host(), db = added.host(), db_alone = alone.host();
    const std::vector<float> dw = grad_weights.host(), db_wide = wide.host();
    for (int r = 0; r < rows; r++)
    {
        double dot = 0;
        for (int j = 0; j < columns; j++)
        {
            const size_t i = static_cast<size_t>(r) * columns + j;
            const double value = to_float(b[static_cast<size_t>(group_of(r)) * columns + j]);
            check_close(y[i], to_float(x[i]) + w[r] * value, 2, 4, "x + w b, " + where);
            check_close(z[i], to_float(x[i]) + value, 2, 4, "x + b, " + where);
            dot += to_float(g[i]) * value;
        }

        check_close(dw[r], old_weights[r] + dot / 2, columns + 1, 4, "dw, " + where);
    }

    for (size_t i = 0; i < old.size(); i++)
    {
        const int e = static_cast<int>(i) / columns, j = static_cast<int>(i) % columns, terms = First[e + 1] - First[e];
        double counted = 0, once = 0;
        for (int r = First[e]; r < First[e + 1]; r++)
        {
            const double value = to_float(g[static_cast<size_t>(r) * columns + j]);
            counted += w[r] * value;
            once += value;
        }

        check_close(db[i], to_float(old[i]) + counted / 2, terms + 1, 2, "db added, " + where);
        check_close(db_alone[i], once, terms, 2, "db, " + where);
        if (sizeof(T) == 2)
        {
            check_close(db_wide[i], once, terms, 2, "wide db, " + where);
        }
    }
}

// Against a softmax of one more logit in float64.
template <typename T> void check_sinks(int tokens, int heads, int width)
{
    Numbers numbers(width);
    const size_t count = static_cast<size_t>(tokens) * heads * width;
    const std::string where = std::to_string(tokens) + " tokens, " + std::to_string(heads) + " heads of " + std::to_string(width);
    const std::vector<T> o = numbers.many<T>(count), s = numbers.many<T>(heads, 3), dy = numbers.many<T>(count),
                         old = numbers.many<T>(heads);
    const std::vector<float> l = numbers.many<float>(static_cast<size_t>(heads) * tokens, 3);
    Array<T> output(o), sinks(s), gradient(dy), added(old), alone(heads);
    Array<float> lse(l), wide(std::vector<float>(heads, 0));
    const uint32_t by_token = tokens, by_head = heads;
    kernel("attention_sink", std::string("attention_sink_forward_") + Type<T>::Name)
        .run({by_token}, {256}, 0, sinks.device(), output.device(), lse.device(), tokens, heads, width);
    const auto backward = kernel("attention_sink", std::string("attention_sink_backward_") + Type<T>::Name);
    backward.run({by_head}, {1024}, 0, sinks.device(), output.device(), lse.device(), gradient.device(), added.device(), tokens, heads,
        width, 1);
    backward.run({by_head}, {1024}, 0, sinks.device(), output.device(), lse.device(), gradient.device(), alone.device(), tokens, heads,
        width, 0);
    if (sizeof(T) == 2)
    {
        kernel("attention_sink", "attention_sink_backward_bf16_f32")
            .run({by_head}, {1024}, 0, sinks.device(), output.device(), lse.device(), gradient.device(), wide.device(), tokens, heads,
                width, 0);
    }

    const std::vector<T> y = output.host(), ds = added.host(), ds_alone = alone.host();
    const std::vector<float> sums = lse.host(), ds_wide = wide.host();
    for (int h = 0; h < heads; h++)
    {
        double total = 0;
        for (int t = 0; t < tokens; t++)
        {
            const size_t statistic = static_cast<size_t>(h) * tokens + t;
            const double with = std::exp(static_cast<double>(l[statistic])) + std::exp(static_cast<double>(to_float(s[h])));
            const double kept = std::exp(static_cast<double>(l[statistic])) / with;
            check_close(sums[statistic], std::log(with), 4, 8, "lse, " + where);
            double dot = 0;
            for (int j = 0; j < width; j++)
            {
                const size_t i = (static_cast<size_t>(t) * heads + h) * width + j;
                check_close(y[i], to_float(o[i]) * kept, 1, 8, "output, " + where);
                dot += to_float(dy[i]) * to_float(y[i]);
            }

            total -= (1 - kept) * dot;
        }

        const double scale = static_cast<double>(tokens) * width;
        check_close(ds_alone[h], total, scale, 8, "ds, " + where);
        check_close(ds[h], to_float(old[h]) + total, scale + 1, 8, "ds added, " + where);
        if (sizeof(T) == 2)
        {
            check_close(ds_wide[h], total, scale, 8, "wide ds, " + where);
        }
    }
}

// Where gate and up are beyond the limit, and where not.
template <typename T> void check_clamped(int rows, int columns)
{
    const float limit = 1.25f;
    Numbers numbers(columns);
    const size_t count = static_cast<size_t>(rows) * columns;
    const std::string suffix = std::string(Type<T>::Name) + any_rows<T>(columns), where = std::to_string(columns) + " columns";
    const std::vector<T> gate_up = numbers.many<T>(2 * count, 3), ds = numbers.many<T>(count);
    const std::vector<float> weights = numbers.many<float>(rows);
    Array<T> forward(count), gates(gate_up), gradient(ds);
    Array<float> device_weights(weights), grad_weights(rows);
    const uint32_t grid = rows;
    kernel("weighted_activation", "weighted_clamped_forward_" + suffix)
        .run({grid}, {256}, 0, gates.device(), device_weights.device(), forward.device(), columns, limit);
    kernel("weighted_activation", "weighted_clamped_backward_" + suffix)
        .run({grid}, {256}, 0, gradient.device(), gates.device(), device_weights.device(), grad_weights.device(), columns, limit);
    check_same(forward.host(), gradient.host(), "forward and backward, " + where);
    const std::vector<T> s = forward.host(), d = gates.host();
    const std::vector<float> dw = grad_weights.host();
    for (int r = 0; r < rows; r++)
    {
        double sum = 0;
        for (int j = 0; j < columns; j++)
        {
            const size_t at = static_cast<size_t>(r) * 2 * columns + j, i = static_cast<size_t>(r) * columns + j;
            const double gate = to_float(gate_up[at]), up = to_float(gate_up[at + columns]), w = weights[r], out = to_float(ds[i]);
            const double g = std::min<double>(gate, limit), u = std::max<double>(std::min<double>(up, limit), -limit);
            const double sigmoid = 1 / (1 + std::exp(-1.702 * g)), slope = sigmoid * (1 + 1.702 * g * (1 - sigmoid));
            check_close(s[i], w * g * sigmoid * (u + 1), 4, 8, "s, " + where);
            check_close(d[at + columns], std::fabs(up) <= limit ? w * out * g * sigmoid : 0, 3, 8, "du, " + where);
            check_close(d[at], gate <= limit ? w * out * (u + 1) * slope : 0, 3, 8, "dg, " + where);
            sum += out * g * sigmoid * (u + 1);
        }

        check_close(dw[r], sum, 4.0 * columns, 8, "dw, " + where);
    }
}

} // namespace

TEST(BiasesOfGroupsAreThoseOfTheDefinition)
{
    for (const int columns : {1, 8, 100, 264})
    {
        check_biases<float>(columns);
        check_biases<Bf16>(columns);
    }
}

TEST(ABiasOfTheRoutersLogitsIsAddedInFp32)
{
    Numbers numbers(1);
    const std::vector<float> x = numbers.many<float>(21);
    const std::vector<Bf16> b = numbers.many<Bf16>(7);
    Array<float> logits(x);
    Array<Bf16> bias(b);
    const int* first = nullptr;
    const float* weights = nullptr;
    kernel("grouped_bias", "grouped_bias_forward_f32_bf16").run({3}, {256}, 0, logits.device(), bias.device(), first, weights, 1, 7);
    const std::vector<float> y = logits.host();
    for (size_t i = 0; i < y.size(); i++)
    {
        check(y[i] == x[i] + to_float(b[i % 7]), "a biased logit");
    }
}

TEST(SinksAreOneMoreLogitOfTheSoftmax)
{
    check_sinks<float>(70, 3, 20);
    check_sinks<float>(5, 9, 64);
    check_sinks<Bf16>(33, 2, 16);
    check_sinks<Bf16>(3, 4, 6);
}

TEST(ClampedUnitsAreTheirDefinition)
{
    for (const int columns : {1, 8, 100, 2048 + 24})
    {
        check_clamped<float>(3, columns);
        check_clamped<Bf16>(3, columns);
    }
}
