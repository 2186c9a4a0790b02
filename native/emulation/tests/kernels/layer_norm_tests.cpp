#include "kernel_test.h"

namespace
{

const float Eps = 1e-5f;

struct Shape
{
    int rows;
    int columns;
};

std::string name_of(const Shape& shape) { return std::to_string(shape.rows) + " x " + std::to_string(shape.columns); }

// Mean and rstd in float64, and the mean size of the row's elements, by which fp32's mean is off.
struct Moments
{
    double mean = 0, rstd = 0, size = 0;

    template <typename T> Moments(const T* row, int columns)
    {
        double squares = 0;
        for (int c = 0; c < columns; c++)
        {
            mean += to_float(row[c]) / static_cast<double>(columns);
            size += std::fabs(to_float(row[c])) / columns;
        }

        for (int c = 0; c < columns; c++)
        {
            squares += std::pow(to_float(row[c]) - mean, 2.0);
        }

        rstd = 1 / std::sqrt(squares / columns + Eps);
    }
};

// Rows whose means are not 0.
template <typename T> std::vector<T> rows_of(Numbers& numbers, const Shape& shape)
{
    std::vector<T> x = numbers.many<T>(static_cast<size_t>(shape.rows) * shape.columns, 3);
    for (size_t i = 0; i < x.size(); i++)
    {
        x[i] = rounded<T>(to_float(x[i]) + static_cast<float>(i / shape.columns % 5));
    }

    return x;
}

// With a bias and without an addend or an offset, or the other way round and in place.
template <typename T> void check_forward(const Shape& shape, bool adds)
{
    Numbers numbers(shape.columns);
    const std::vector<T> x = rows_of<T>(numbers, shape), w = numbers.many<T>(shape.columns, 2), b = numbers.many<T>(shape.columns),
                         stream = numbers.many<T>(x.size());
    const float offset = adds ? 1.0f : 0.0f;
    Array<T> device_x(x), device_w(w), device_b(b), device_stream(stream), y(x.size());
    Array<float> statistics(static_cast<size_t>(shape.rows) * 2);
    const uint32_t block = block_for(divided_up(shape.columns / pack_of<T>(shape.columns), 4), 64, 1024);
    const auto forward = kernel("layer_norm", std::string("layer_norm_forward_") + Type<T>::Name + any_rows<T>(shape.columns));
    Array<T>& place = adds ? device_stream : y;
    forward.run({static_cast<uint32_t>(shape.rows)}, {block}, 0, device_x.device(), device_w.device(), adds ? nullptr : device_b.device(),
        adds ? device_stream.device() : nullptr, place.device(), statistics.device(), offset, Eps, shape.columns);
    const std::vector<T> result = place.host();
    const std::vector<float> found = statistics.host();
    for (int r = 0; r < shape.rows; r++)
    {
        const Moments moments(&x[static_cast<size_t>(r) * shape.columns], shape.columns);
        check_close(found[2 * r], moments.mean, moments.size, 4, "mean, " + name_of(shape));
        check_close(found[2 * r + 1], moments.rstd, moments.rstd, 8, "rstd, " + name_of(shape));
        for (int c = 0; c < shape.columns; c++)
        {
            const size_t at = static_cast<size_t>(r) * shape.columns + c;
            const double weight = to_float(w[c]) + offset, added = adds ? to_float(stream[at]) : to_float(b[c]);
            const double normed = (to_float(x[at]) - moments.mean) * moments.rstd * weight;
            const double size = (std::fabs(to_float(x[at])) + moments.size) * moments.rstd * std::fabs(weight) + std::fabs(added);
            check_close(result[at], added + normed, size, 8, "y, " + name_of(shape));
        }
    }

    if (!adds)
    {
        forward.run({static_cast<uint32_t>(shape.rows)}, {block}, 0, device_x.device(), device_w.device(), device_b.device(),
            static_cast<T*>(nullptr), device_x.device(), statistics.device(), offset, Eps, shape.columns);
        check_same(device_x.host(), result, "y and y in place");
    }
}

// G: the type of dy; W: of the parameters' gradients.
template <typename T, typename W, typename G = T>
std::vector<W> check_backward(const Shape& shape, bool adds, bool accumulate, float offset, uint64_t seed = 1)
{
    constexpr bool Wide = sizeof(G) > sizeof(T);
    Numbers numbers(shape.columns + 1);
    const size_t count = static_cast<size_t>(shape.rows) * shape.columns;
    const std::vector<G> dy = numbers.many<G>(count);
    const std::vector<T> x = rows_of<T>(numbers, shape), w = numbers.many<T>(shape.columns, 2), stream = numbers.many<T>(count);
    const std::vector<W> old = numbers.many<W>(shape.columns);
    std::vector<float> statistics;
    for (int r = 0; r < shape.rows; r++)
    {
        const Moments moments(&x[static_cast<size_t>(r) * shape.columns], shape.columns);
        statistics.push_back(static_cast<float>(moments.mean));
        statistics.push_back(static_cast<float>(moments.rstd));
    }

    const int64_t by_size = divided_up(static_cast<int64_t>(count), 1 << 20), by_rows = divided_up(shape.rows, 256);
    const int group_rows = static_cast<int>(std::max<int64_t>(4, std::min(by_size, by_rows)));
    const uint32_t groups = divided_up(shape.rows, group_rows);
    Array<G> device_dy(dy);
    Array<T> device_x(x), device_w(w), device_stream(stream), output(count);
    Array<float> device_statistics(statistics), partials(static_cast<size_t>(groups) * shape.columns * 2);
    const std::string name = (Wide ? "bf16_f32" : Type<T>::Name) + any_rows<T>(shape.columns);
    kernel("layer_norm", "layer_norm_backward_" + name, seed)
        .run({groups}, {block_for(divided_up(shape.columns / pack_of<T>(shape.columns), 2), 64, 512)}, 0, device_dy.device(),
            device_x.device(),
            device_statistics.device(), device_w.device(), adds ? device_stream.device() : nullptr,
            adds ? device_stream.device() : output.device(), partials.device(), offset, shape.rows, shape.columns, group_rows);
    const std::vector<T> result = adds ? device_stream.host() : output.host();

    std::vector<double> weights(shape.columns), biases(shape.columns), weight_sizes(shape.columns), bias_sizes(shape.columns);
    for (int r = 0; r < shape.rows; r++)
    {
        const size_t start = static_cast<size_t>(r) * shape.columns;
        const double mean = statistics[2 * r], rstd = statistics[2 * r + 1];
        double sum = 0, dot = 0, sum_size = 0, dot_size = 0;
        for (int c = 0; c < shape.columns; c++)
        {
            const double n = (to_float(x[start + c]) - mean) * rstd, dyc = to_float(dy[start + c]), g = dyc * (to_float(w[c]) + offset);
            sum += g / shape.columns;
            dot += g * n / shape.columns;
            sum_size += std::fabs(g) / shape.columns;
            dot_size += std::fabs(g * n) / shape.columns;
            weights[c] += dyc * n;
            weight_sizes[c] += std::fabs(dyc) * (std::fabs(n) + std::fabs(mean) * rstd);
            biases[c] += dyc;
            bias_sizes[c] += std::fabs(dyc);
        }

        for (int c = 0; c < shape.columns; c++)
        {
            const double n = (to_float(x[start + c]) - mean) * rstd, g = to_float(dy[start + c]) * (to_float(w[c]) + offset);
            const double added = adds ? to_float(stream[start + c]) : 0;
            const double size = rstd * (std::fabs(g) + sum_size + (std::fabs(n) + std::fabs(mean) * rstd) * dot_size) + std::fabs(added);
            check_close(result[start + c], added + rstd * (g - sum - n * dot), size, 16, "dx, " + name_of(shape));
        }
    }

    std::vector<W> gradients;
    for (int part = 0; part < 2; part++)
    {
        Array<W> out(accumulate ? old : std::vector<W>(old.size(), rounded<W>(NAN)));
        kernel("column_sum", std::string("column_sum_") + Type<W>::Name + any_rows<float>(shape.columns))
            .run({divided_up(shape.columns, 32)}, {256}, 0, partials.device() + static_cast<size_t>(part) * groups * shape.columns,
                out.device(), static_cast<int>(groups), shape.columns, accumulate ? 1 : 0);
        const std::vector<W> found = out.host();
        for (int c = 0; c < shape.columns; c++)
        {
            const double before = accumulate ? to_float(old[c]) : 0, expected = part == 0 ? weights[c] : biases[c];
            const double size = (part == 0 ? weight_sizes[c] : bias_sizes[c]) + std::fabs(before);
            check_close(found[c], before + expected, size, 6, (part == 0 ? "dw, " : "db, ") + name_of(shape));
        }

        gradients.insert(gradients.end(), found.begin(), found.end());
    }

    return gradients;
}

const Shape Small[] = {{1, 8}, {3, 64}, {5, 48}, {21, 264}, {9, 4096}, {7, 42}, {5, 4099}};

} // namespace

TEST(LayerNormForwardIsItsDefinition)
{
    for (const Shape& shape : Small)
    {
        for (bool adds : {false, true})
        {
            check_forward<float>(shape, adds);
            check_forward<Bf16>(shape, adds);
        }
    }
}

TEST(LayerNormForwardReadsAgainWhatRegistersDoNotHold)
{
    check_forward<float>({2, 20004}, false);
    check_forward<Bf16>({2, 40008}, true);
}

TEST(LayerNormBackwardIsItsDefinition)
{
    for (const Shape& shape : Small)
    {
        check_backward<float, float>(shape, true, true, 0);
        check_backward<Bf16, Bf16>(shape, false, false, 1);
        check_backward<Bf16, float>(shape, true, false, 0);
        check_backward<Bf16, float, float>(shape, false, true, 1);
    }
}

TEST(LayerNormBackwardAddsUpInMemoryWhatRegistersDoNotHold)
{
    check_backward<float, float>({6, 8204}, true, true, 0);
    check_backward<Bf16, Bf16>({6, 16408}, false, false, 1);
}

TEST(LayerNormBackwardOfManyRowsIsItsDefinition) { check_backward<Bf16, float>({1301, 64}, true, true, 0); }

TEST(LayerNormBackwardDoesNotDependOnTheOrderOfThreads)
{
    const std::vector<Bf16> first = check_backward<Bf16, Bf16>({67, 512}, true, true, 0, 11);
    check_same(first, check_backward<Bf16, Bf16>({67, 512}, true, true, 0, 12), "parameters' gradients");
}
