#include <algorithm>
#include <numeric>

#include "activation_definition.h"
#include "kernel_test.h"

namespace
{

// The first row of each expert where so many rows are shared out at random; or all of them are of one, or one each.
std::vector<int> shares(Numbers& numbers, int experts, int rows, int kind)
{
    std::vector<int> count(experts);
    for (int r = 0; r < rows; r++)
    {
        count[kind == 0 ? numbers.below(experts) : kind == 1 ? experts / 2 : r % experts]++;
    }

    std::vector<int> first(experts + 1);
    std::partial_sum(count.begin(), count.end(), first.begin() + 1);
    return first;
}

std::string suffix_of(bool tensor, bool narrow) { return narrow ? tensor ? "bf16" : "bf16_unaligned" : "f32"; }

template <typename T> void check_products(int experts, int rows, int columns, int depth, int kind)
{
    const bool narrow = sizeof(T) == 2, tensor = narrow && columns % 8 == 0 && depth % 8 == 0;
    const uint32_t tile = tensor ? 128 : 64, shared = tensor ? 32768 : 0;
    const std::string where = std::to_string(experts) + " experts, " + std::to_string(rows) + " x " + std::to_string(columns) + " x "
        + std::to_string(depth);
    Numbers numbers(rows + columns + depth);
    const std::vector<int> first = shares(numbers, experts, rows, kind);
    const size_t matrix = static_cast<size_t>(columns) * depth;
    const std::vector<T> a = numbers.many<T>(static_cast<size_t>(rows) * depth), b = numbers.many<T>(experts * matrix),
                         g = numbers.many<T>(static_cast<size_t>(rows) * columns), old = numbers.many<T>(experts * matrix);
    Array<T> device_a(a), device_b(b), device_g(g), c(g.size()), back(a.size()), weights(old), fresh(old.size());
    Array<int> device_first(first);
    const std::string suffix = suffix_of(tensor, narrow);
    const uint32_t tiles = rows / tile + experts;
    kernel("grouped_gemm", "grouped_gemm_nt_" + suffix).run({divided_up(columns, tile), tiles}, {256}, shared, device_a.device(),
        device_b.device(), device_first.device(), c.device(), experts, columns, depth, int64_t{depth}, int64_t{columns}, 1.0f, 0);
    const int64_t stride = columns + 8;
    const std::vector<T> before = numbers.many<T>(static_cast<size_t>(rows) * stride);
    Array<T> wide(before);
    kernel("grouped_gemm", "grouped_gemm_nt_" + suffix).run({divided_up(columns, tile), tiles}, {256}, shared, device_a.device(),
        device_b.device(), device_first.device(), wide.device(), experts, columns, depth, int64_t{depth}, stride, 0.5f, 1);
    kernel("grouped_gemm", "grouped_gemm_nn_" + suffix).run({divided_up(depth, tile), tiles}, {256}, shared, device_g.device(),
        device_b.device(), device_first.device(), back.device(), experts, depth, columns, int64_t{columns}, int64_t{depth}, 0.5f, 0);
    const auto of_weights = kernel("grouped_gemm", "grouped_gemm_tn_" + suffix);
    const std::initializer_list<uint32_t> grid{divided_up(depth, tile), divided_up(columns, tile), static_cast<uint32_t>(experts)};
    of_weights.run(grid, {256}, shared, device_g.device(), device_a.device(), device_first.device(), weights.device(), columns, depth,
        int64_t{columns}, int64_t{depth}, 0.5f, 1);
    of_weights.run(grid, {256}, shared, device_g.device(), device_a.device(), device_first.device(), fresh.device(), columns, depth,
        int64_t{columns}, int64_t{depth}, 0.5f, 0);
    Array<T> of_wide(old.size());
    of_weights.run(grid, {256}, shared, wide.device(), device_a.device(), device_first.device(), of_wide.device(), columns, depth, stride,
        int64_t{depth}, 0.5f, 0);

    const std::vector<T> forward = c.host(), input = back.host(), added = weights.host(), alone = fresh.host();
    const std::vector<T> parts = wide.host(), gradient_of_parts = of_wide.host();
    const auto at = [](const std::vector<T>& of, size_t i) { return static_cast<double>(to_float(of[i])); };
    for (int e = 0; e < experts; e++)
    {
        for (int r = first[e]; r < first[e + 1]; r++)
        {
            for (int n = 0; n < columns; n++)
            {
                double sum = 0;
                for (int k = 0; k < depth; k++)
                {
                    sum += at(a, static_cast<size_t>(r) * depth + k) * at(b, e * matrix + static_cast<size_t>(n) * depth + k);
                }

                check_close(forward[static_cast<size_t>(r) * columns + n], sum, depth, 2, "product, " + where);
                const size_t part = static_cast<size_t>(r) * stride + n;
                check_close(parts[part], at(before, part) + sum / 2, depth + 1, 2, "product added to a part of rows, " + where);
            }

            for (int k = 0; k < depth; k++)
            {
                double sum = 0;
                for (int n = 0; n < columns; n++)
                {
                    sum += at(g, static_cast<size_t>(r) * columns + n) * at(b, e * matrix + static_cast<size_t>(n) * depth + k);
                }

                check_close(input[static_cast<size_t>(r) * depth + k], sum / 2, columns, 2, "input's gradient, " + where);
            }
        }

        for (size_t i = 0; i < matrix; i++)
        {
            const size_t n = i / depth, k = i % depth;
            double sum = 0;
            for (int r = first[e]; r < first[e + 1]; r++)
            {
                sum += at(g, static_cast<size_t>(r) * columns + n) * at(a, static_cast<size_t>(r) * depth + k);
            }

            double of_parts = 0;
            for (int r = first[e]; r < first[e + 1]; r++)
            {
                of_parts += at(parts, static_cast<size_t>(r) * stride + n) * at(a, static_cast<size_t>(r) * depth + k);
            }

            const int terms = first[e + 1] - first[e];
            check_close(gradient_of_parts[e * matrix + i], of_parts / 2, terms * (depth + 1), 2, "gradient of parts of rows, " + where);
            check_close(alone[e * matrix + i], sum / 2, terms, 2, "weight's gradient, " + where);
            check_close(added[e * matrix + i], at(old, e * matrix + i) + sum / 2, terms + 1, 2, "weight's gradient added, " + where);
            check(terms > 0 || added[e * matrix + i] == old[e * matrix + i], "an expert without rows changed, " + where);
        }
    }
}

template <typename T> void check_activation(int rows, int columns)
{
    Numbers numbers(columns);
    const std::vector<T> gate_up = numbers.many<T>(static_cast<size_t>(rows) * 2 * columns, 3),
                         ds = numbers.many<T>(static_cast<size_t>(rows) * columns);
    const std::vector<float> weights = numbers.many<float>(rows);
    Array<T> forward(ds.size()), device_gates(gate_up), gradient(ds);
    Array<float> device_weights(weights), grad_weights(rows);
    const std::string suffix = std::string(Type<T>::Name) + any_rows<T>(columns), where = std::to_string(columns) + " columns";
    const uint32_t grid = rows;
    kernel("weighted_activation", "weighted_swi_glu_forward_" + suffix)
        .run({grid}, {256}, 0, device_gates.device(), device_weights.device(), forward.device(), columns, 0.0f);
    kernel("weighted_activation", "weighted_swi_glu_backward_" + suffix)
        .run({grid}, {256}, 0, gradient.device(), device_gates.device(), device_weights.device(), grad_weights.device(), columns,
            0.0f);
    check_same(forward.host(), gradient.host(), "forward and backward, " + where);
    const std::vector<T> s = forward.host(), d = device_gates.host();
    const std::vector<float> dw = grad_weights.host();
    for (int r = 0; r < rows; r++)
    {
        double sum = 0, size = 0;
        for (int j = 0; j < columns; j++)
        {
            const size_t g = static_cast<size_t>(r) * 2 * columns + j, u = g + columns, i = static_cast<size_t>(r) * columns + j;
            const ActivationPoint at = silu(to_float(gate_up[g]));
            const double up = to_float(gate_up[u]), out = to_float(ds[i]), w = weights[r];
            check_close(s[i], w * at.value * up, std::fabs(w * up) * at.value_size, 8, "s, " + where);
            check_close(d[u], w * out * at.value, std::fabs(w * out) * at.value_size, 8, "du, " + where);
            check_close(d[g], w * out * up * at.slope, std::fabs(w * out * up) * at.slope_size, 8, "dg, " + where);
            sum += out * at.value * up;
            size += std::fabs(out * up) * at.value_size;
        }

        check_close(dw[r], sum, size, 8, "dw, " + where);
    }
}

template <typename T> void check_sums(int tokens, int count, int columns)
{
    Numbers numbers(columns);
    const std::vector<T> from = numbers.many<T>(static_cast<size_t>(tokens) * count * columns),
                         addend = numbers.many<T>(static_cast<size_t>(tokens) * columns);
    std::vector<int> rows(static_cast<size_t>(tokens) * count);
    for (int& row : rows)
    {
        row = numbers.below(static_cast<int>(rows.size()));
    }

    Array<T> device_from(from), in_place(addend), alone(addend.size());
    Array<int> device_rows(rows);
    const auto sum = kernel("sum_rows", std::string("sum_rows_") + Type<T>::Name + any_rows<T>(columns));
    const uint32_t grid = tokens;
    sum.run({grid}, {256}, 0, device_from.device(), device_rows.device(), in_place.device(), in_place.device(), count, columns, 0.25f);
    const T* none = nullptr;
    sum.run({grid}, {256}, 0, device_from.device(), device_rows.device(), none, alone.device(), count, columns, 0.25f);
    const std::vector<T> added = in_place.host(), result = alone.host();
    for (size_t i = 0; i < addend.size(); i++)
    {
        double total = 0;
        for (int n = 0; n < count; n++)
        {
            total += to_float(from[static_cast<size_t>(rows[i / columns * count + n]) * columns + i % columns]);
        }

        check_close(result[i], total / 4, count, count, "sum of rows");
        check_close(added[i], to_float(addend[i]) + total / 4, count + 1, count, "sum of rows and an addend");
    }
}

} // namespace

TEST(ProductsOfExpertsAreThoseOfTheirRows)
{
    for (int kind = 0; kind < 3; kind++)
    {
        check_products<float>(5, 150, 70, 34, kind);
        check_products<float>(3, 7, 1, 3, kind);
        check_products<Bf16>(5, 300, 136, 72, kind);
        check_products<Bf16>(40, 90, 8, 16, kind);
        check_products<Bf16>(4, 70, 33, 20, kind);
    }
}

TEST(WeightGradientsOfExpertsMayBeWiderThanWhatTheyAreOf)
{
    Numbers numbers(1);
    for (const int columns : {16, 12})
    {
        const int rows = 40, experts = 3;
        const std::vector<int> first = shares(numbers, experts, rows, 0);
        const std::vector<Bf16> a = numbers.many<Bf16>(rows * columns), b = numbers.many<Bf16>(rows * columns);
        Array<Bf16> device_a(a), device_b(b);
        Array<float> c(experts * columns * columns);
        Array<int> device_first(first);
        const bool tensor = columns % 8 == 0;
        kernel("grouped_gemm", std::string("grouped_gemm_tn_bf16_f32") + (tensor ? "" : "_unaligned"))
            .run({1, 1, 3}, {256}, tensor ? 32768 : 0, device_a.device(), device_b.device(), device_first.device(), c.device(), columns,
                columns, int64_t{columns}, int64_t{columns}, 1.0f, 0);
        const std::vector<float> got = c.host();
        for (size_t i = 0; i < got.size(); i++)
        {
            const int e = static_cast<int>(i) / (columns * columns), m = static_cast<int>(i) / columns % columns;
            double sum = 0;
            for (int r = first[e]; r < first[e + 1]; r++)
            {
                sum += to_float(a[r * columns + m]) * to_float(b[r * columns + i % columns]);
            }

            check_close(got[i], sum, first[e + 1] - first[e], 2, "wide gradient");
        }
    }
}

TEST(WeightedActivationsAreTheirDefinition)
{
    for (const int columns : {1, 8, 100, 2048 + 24})
    {
        check_activation<float>(3, columns);
        check_activation<Bf16>(3, columns);
    }
}

TEST(NamedRowsAreAddedUp)
{
    for (const int columns : {3, 16, 2100})
    {
        check_sums<float>(5, 1, columns);
        check_sums<float>(5, 3, columns);
        check_sums<Bf16>(5, 4, columns);
    }
}
