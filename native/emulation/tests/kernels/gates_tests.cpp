#include <algorithm>
#include <array>

#include "kernel_test.h"

namespace
{

struct Gate
{
    double value, slope;
};

Gate silu(double z)
{
    const double open = 1 / (1 + std::exp(-z));
    return Gate{z * open, open * (1 + z * (1 - open))};
}

// Against the definition in float64.
template <typename T> void check_norm(int rows, int heads, int width)
{
    const float epsilon = 1e-3f;
    const int columns = heads * width, stride = columns + 1, group_rows = std::max(4, static_cast<int>(divided_up(rows, 256)));
    const uint32_t groups = divided_up(rows, group_rows);
    const std::string where = std::to_string(rows) + " rows, " + std::to_string(heads) + " heads of " + std::to_string(width);
    Numbers numbers(width);
    const std::vector<float> x = numbers.many<float>(static_cast<size_t>(rows) * columns);
    const std::vector<T> z = numbers.many<T>(static_cast<size_t>(rows) * stride, 3), w = numbers.many<T>(width),
                         dy = numbers.many<T>(static_cast<size_t>(rows) * columns);
    Array<float> device_x(x), partials(static_cast<size_t>(groups) * width);
    Array<T> device_z(z), device_w(w), y(x.size()), gradient(dy), dz(std::vector<T>(z.size(), rounded<T>(0)));
    kernel("gated_norm", std::string("gated_norm_forward_") + Type<T>::Name)
        .run({groups}, {128}, 0, device_x.device(), device_z.device(), device_w.device(), y.device(), epsilon, rows, heads, width, stride,
            group_rows);
    kernel("gated_norm", std::string("gated_norm_backward_") + Type<T>::Name)
        .run({groups}, {128}, 0, gradient.device(), device_x.device(), device_z.device(), device_w.device(), dz.device(),
            partials.device(), epsilon, rows, heads, width, stride, stride, group_rows);
    const std::vector<T> normed = y.host(), dx = gradient.host(), dgate = dz.host();
    const std::vector<float> sums = partials.host();
    std::vector<double> dw(width);
    for (int t = 0; t < rows; t++)
    {
        for (int h = 0; h < heads; h++)
        {
            const size_t at = static_cast<size_t>(t) * columns + h * width, gate = static_cast<size_t>(t) * stride + h * width;
            double squares = 0, dot = 0;
            for (int j = 0; j < width; j++)
            {
                squares += static_cast<double>(x[at + j]) * x[at + j];
                dot += to_float(dy[at + j]) * to_float(w[j]) * silu(to_float(z[gate + j])).value * x[at + j];
            }

            const double root = 1 / std::sqrt(squares / width + epsilon);
            for (int j = 0; j < width; j++)
            {
                const Gate by = silu(to_float(z[gate + j]));
                const double n = x[at + j] * root, weighted = static_cast<double>(to_float(dy[at + j])) * to_float(w[j]);
                const double size = 4 + root;
                check_close(normed[at + j], to_float(w[j]) * n * by.value, size, 16, "y, " + where);
                check_close(dgate[gate + j], weighted * n * by.slope, size, 16, "dz, " + where);
                const double pull = x[at + j] * root * root * dot / width;
                check_close(dx[at + j], root * (weighted * by.value - pull), size * root, 32, "dx, " + where);
                dw[j] += to_float(dy[at + j]) * n * by.value;
            }
        }
    }

    for (int j = 0; j < width; j++)
    {
        double sum = 0;
        for (uint32_t g = 0; g < groups; g++)
        {
            sum += sums[static_cast<size_t>(g) * width + j];
        }

        check_close(static_cast<float>(sum), dw[j], 4 * rows * heads, 16, "dw, " + where);
    }
}

// Gated first, and normed by groups of columns with weights of their own.
template <typename T> void check_groups(int rows, int groups_of_columns, int width)
{
    const float epsilon = 1e-3f;
    const int columns = groups_of_columns * width, stride = columns + 2, group_rows = std::max(4, static_cast<int>(divided_up(rows, 256)));
    const uint32_t groups = divided_up(rows, group_rows);
    const std::string where = std::to_string(rows) + " rows, " + std::to_string(groups_of_columns) + " groups of " + std::to_string(width);
    Numbers numbers(width + rows);
    const std::vector<float> x = numbers.many<float>(static_cast<size_t>(rows) * columns);
    const std::vector<T> z = numbers.many<T>(static_cast<size_t>(rows) * stride, 3), w = numbers.many<T>(columns),
                         dy = numbers.many<T>(static_cast<size_t>(rows) * columns);
    Array<float> device_x(x), partials(static_cast<size_t>(groups) * columns);
    Array<T> device_z(z), device_w(w), y(x.size()), gradient(dy), dz(std::vector<T>(z.size(), rounded<T>(0)));
    kernel("gated_norm", std::string("gated_group_norm_forward_") + Type<T>::Name)
        .run({groups}, {128}, 0, device_x.device(), device_z.device(), device_w.device(), y.device(), epsilon, rows, groups_of_columns,
            width, stride, group_rows);
    kernel("gated_norm", std::string("gated_group_norm_backward_") + Type<T>::Name)
        .run({groups}, {128}, 0, gradient.device(), device_x.device(), device_z.device(), device_w.device(), dz.device(),
            partials.device(), epsilon, rows, groups_of_columns, width, stride, stride, group_rows);
    const std::vector<T> normed = y.host(), dx = gradient.host(), dgate = dz.host();
    const std::vector<float> sums = partials.host();
    std::vector<double> dw(columns);
    for (int t = 0; t < rows; t++)
    {
        for (int first = 0; first < columns; first += width)
        {
            const size_t at = static_cast<size_t>(t) * columns, gate = static_cast<size_t>(t) * stride;
            const auto u = [&](int j) { return x[at + j] * silu(to_float(z[gate + j])).value; };
            double squares = 0, dot = 0;
            for (int j = first; j < first + width; j++)
            {
                squares += u(j) * u(j);
                dot += static_cast<double>(to_float(dy[at + j])) * to_float(w[j]) * u(j);
            }

            const double root = 1 / std::sqrt(squares / width + epsilon);
            for (int j = first; j < first + width; j++)
            {
                const Gate by = silu(to_float(z[gate + j]));
                const double dn = static_cast<double>(to_float(dy[at + j])) * to_float(w[j]);
                const double du = root * (dn - u(j) * root * root * dot / width), size = 4 * (1 + root * root);
                check_close(normed[at + j], to_float(w[j]) * u(j) * root, size, 16, "y, " + where);
                check_close(dgate[gate + j], du * x[at + j] * by.slope, size, 48, "dz, " + where);
                check_close(dx[at + j], du * by.value, size, 48, "dx, " + where);
                dw[j] += to_float(dy[at + j]) * u(j) * root;
            }
        }
    }

    for (int j = 0; j < columns; j++)
    {
        double sum = 0;
        for (uint32_t g = 0; g < groups; g++)
        {
            sum += sums[static_cast<size_t>(g) * columns + j];
        }

        check_close(static_cast<float>(sum), dw[j], 4 * rows, 16, "dw, " + where);
    }
}

template <typename T> void check_output(int count)
{
    Numbers numbers(count);
    const std::vector<T> x = numbers.many<T>(count), gate = numbers.many<T>(count, 5), dy = numbers.many<T>(count);
    Array<T> device_x(x), device_gate(gate), y(x.size()), gradient(dy), dgate(x.size());
    const uint32_t grid = divided_up(count, 256);
    kernel("output_gate", std::string("output_gate_forward_") + Type<T>::Name)
        .run({grid}, {256}, 0, device_x.device(), device_gate.device(), y.device(), int64_t{count});
    kernel("output_gate", std::string("output_gate_backward_") + Type<T>::Name)
        .run({grid}, {256}, 0, gradient.device(), device_x.device(), device_gate.device(), dgate.device(), int64_t{count});
    const std::vector<T> gated = y.host(), dx = gradient.host(), dg = dgate.host();
    for (int i = 0; i < count; i++)
    {
        const double open = 1 / (1 + std::exp(-static_cast<double>(to_float(gate[i]))));
        const double passed = to_float(dy[i]) * open;
        check_close(gated[i], to_float(x[i]) * open, 1, 8, "y");
        check_close(dx[i], passed, 1, 8, "dx");
        check_close(dg[i], passed * to_float(x[i]) * (1 - open), 1, 8, "dgate");
    }
}

// Units without a gate that have a weight for each row.
template <typename T> void check_ungated(int rows, int columns)
{
    Numbers numbers(columns);
    const std::vector<T> up = numbers.many<T>(static_cast<size_t>(rows) * columns, 3), ds = numbers.many<T>(up.size());
    const std::vector<float> weights = numbers.many<float>(rows);
    Array<T> forward(ds.size()), device_up(up), gradient(ds);
    Array<float> device_weights(weights), grad_weights(rows);
    const std::string suffix = std::string(Type<T>::Name) + any_rows<T>(columns), where = std::to_string(columns) + " columns, no gate";
    const uint32_t grid = rows;
    kernel("weighted_activation", "weighted_silu_forward_" + suffix)
        .run({grid}, {256}, 0, device_up.device(), device_weights.device(), forward.device(), columns, 0.0f);
    kernel("weighted_activation", "weighted_silu_backward_" + suffix)
        .run({grid}, {256}, 0, gradient.device(), device_up.device(), device_weights.device(), grad_weights.device(), columns, 0.0f);
    check_same(forward.host(), gradient.host(), "forward and backward, " + where);
    const std::vector<T> s = forward.host(), d = device_up.host();
    const std::vector<float> dw = grad_weights.host();
    for (int r = 0; r < rows; r++)
    {
        double sum = 0, size = 0;
        for (int j = 0; j < columns; j++)
        {
            const size_t i = static_cast<size_t>(r) * columns + j;
            const double x = to_float(up[i]), around = 1 + std::fabs(x);
            const Gate at = silu(x);
            const double out = to_float(ds[i]), w = weights[r];
            check_close(s[i], w * at.value, std::fabs(w) * around, 8, "s, " + where);
            check_close(d[i], w * out * at.slope, std::fabs(w * out) * around, 8, "du, " + where);
            sum += out * at.value;
            size += std::fabs(out) * around;
        }

        check_close(dw[r], sum, size, 8, "dw, " + where);
    }
}

} // namespace

TEST(GatedNormsOfHeadsAreThoseOfTheDefinition)
{
    for (const auto& [rows, heads, width] : std::vector<std::array<int, 3>>{{7, 3, 5}, {40, 2, 48}, {3, 1, 256}, {1, 5, 1}})
    {
        check_norm<float>(rows, heads, width);
        check_norm<Bf16>(rows, heads, width);
    }
}

TEST(NormsOfGatedGroupsAreThoseOfTheDefinition)
{
    for (const auto& [rows, groups, width] : std::vector<std::array<int, 3>>{{7, 3, 5}, {20, 1, 300}, {3, 6, 48}})
    {
        check_groups<float>(rows, groups, width);
        check_groups<Bf16>(rows, groups, width);
    }
}

TEST(GatedOutputsAreThoseOfTheDefinition)
{
    for (int count : {1, 255, 513})
    {
        check_output<float>(count);
        check_output<Bf16>(count);
    }
}

TEST(WeightedUnitsWithoutAGateAreThoseOfTheDefinition)
{
    for (const int columns : {1, 8, 100, 2048 + 24})
    {
        check_ungated<float>(3, columns);
        check_ungated<Bf16>(3, columns);
    }
}

namespace
{

template <typename T> void check_input_gate(int rows, int columns)
{
    const int stride = columns + 5;
    Numbers numbers(columns);
    const size_t count = static_cast<size_t>(rows) * columns, wide = static_cast<size_t>(rows) * stride;
    const std::vector<T> gate = numbers.many<T>(count, 2), x = numbers.many<T>(wide), dy = numbers.many<T>(count);
    Array<T> device_gate(gate), device_x(x), y(count), gradient(dy), dx(std::vector<T>(wide, rounded<T>(0)));
    const uint32_t grid = divided_up(static_cast<int>(count), 256);
    kernel("input_gate", std::string("input_gate_swi_glu_forward_") + Type<T>::Name)
        .run({grid}, {256}, 0, device_gate.device(), device_x.device(), y.device(), rows, columns, stride);
    kernel("input_gate", std::string("input_gate_swi_glu_backward_") + Type<T>::Name)
        .run({grid}, {256}, 0, gradient.device(), device_gate.device(), device_x.device(), dx.device(), rows, columns, stride);
    const std::vector<T> forward = y.host(), again = gradient.host(), dgate = device_gate.host(), dinput = dx.host();
    check_same(forward, again, "the gated input");
    for (size_t i = 0; i < count; i++)
    {
        const size_t place = i / columns * stride + i % columns;
        const Gate by = silu(to_float(gate[i]));
        const double value = to_float(x[place]), g = to_float(dy[i]);
        check_close(forward[i], by.value * value, std::fabs(value) * 4, 8, "y");
        check_close(dgate[i], g * value * by.slope, std::fabs(g * value) * 4, 8, "gradient of the gate");
        check_close(dinput[place], g * by.value, std::fabs(g) * 4, 8, "gradient of the input");
    }
}

} // namespace

TEST(InputGateTakesSomeColumnsOfAWiderInput)
{
    check_input_gate<float>(19, 21);
    check_input_gate<Bf16>(19, 21);
    check_input_gate<Bf16>(3, 256);
}
