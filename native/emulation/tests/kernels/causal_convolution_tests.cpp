#include <algorithm>
#include <array>

#include "kernel_test.h"

namespace
{

// A row of documents in chunks, forward and back, against the definition over the whole row in float64.
template <typename T> void check_row(int chunk, int columns, int count)
{
    const int tokens = 40, chunks = tokens / chunk, stride = columns + 3;
    const std::vector<int> documents = {0, 11, 12, 14, 29};
    std::vector<int> first(tokens);
    for (int t = 0; t < tokens; t++)
    {
        first[t] = *(std::upper_bound(documents.begin(), documents.end(), t) - 1);
    }

    const std::string where =
        std::to_string(chunk) + " tokens, " + std::to_string(columns) + " columns, " + std::to_string(count) + " taps";
    Numbers numbers(columns + count);
    const std::vector<T> x = numbers.many<T>(static_cast<size_t>(tokens) * stride, 2),
                         taps = numbers.many<T>(static_cast<size_t>(columns) * count), bias = numbers.many<T>(columns);
    const std::vector<float> dy = numbers.many<float>(static_cast<size_t>(tokens) * columns);
    const auto at = [&](int t, int j) { return static_cast<double>(to_float(x[static_cast<size_t>(t) * stride + j])); };
    const auto tap = [&](int j, int back) {
        return static_cast<double>(to_float(taps[static_cast<size_t>(j) * count + count - 1 - back]));
    };
    const auto convolution = [&](int t, int j) {
        double sum = to_float(bias[j]);
        for (int back = 0; back < count && t - back >= first[t]; back++)
        {
            sum += tap(j, back) * at(t - back, j);
        }

        return sum;
    };
    const auto slope = [&](int t, int j) {
        const double c = convolution(t, j), open = 1 / (1 + std::exp(-c));
        return dy[static_cast<size_t>(t) * columns + j] * open * (1 + c * (1 - open));
    };

    // A state lies at the beginning of as many elements as the chunk's rows have, of which it does not need the last.
    const int room = (count - 1) * columns + 5, groups_of = std::max(8, static_cast<int>(divided_up(chunk, 128)));
    const uint32_t groups = divided_up(chunk, groups_of), blocks = divided_up(columns, 128);
    Array<T> device_x(x), device_taps(taps), device_bias(bias), dx(std::vector<T>(x.size(), rounded<T>(0)));
    Array<float> device_dy(dy), y(dy.size()), states(std::vector<float>(static_cast<size_t>(chunks) * room, NAN));
    Array<float> grad_states(static_cast<size_t>(chunks) * room), partials(static_cast<size_t>(groups) * columns * count);
    Array<float> bias_partials(static_cast<size_t>(groups) * columns);
    Array<int> device_first(first);
    const auto forward = kernel("causal_convolution", std::string("causal_convolution_forward_") + Type<T>::Name);
    const auto backward = kernel("causal_convolution", std::string("causal_convolution_backward_") + Type<T>::Name);
    const auto state = [&](Array<float>& all, int c) {
        return c < 0 || c >= chunks ? nullptr : all.device() + static_cast<size_t>(c) * room;
    };
    for (int c = 0; c < chunks; c++)
    {
        const size_t row = static_cast<size_t>(c) * chunk;
        forward.run({blocks, groups}, {128}, 0, device_x.device() + row * stride, device_taps.device(), device_bias.device(),
            device_first.device() + row, state(states, c - 1), y.device() + row * columns, state(states, c), 5, static_cast<int>(row),
            chunk, columns, count, stride, groups_of);
    }

    std::vector<double> sums(taps.size()), bias_sums(columns);
    for (int c = chunks - 1; c >= 0; c--)
    {
        const size_t row = static_cast<size_t>(c) * chunk;
        backward.run({blocks, groups}, {128}, 0, device_x.device() + row * stride, device_taps.device(), device_bias.device(),
            device_first.device() + row, state(states, c - 1), device_dy.device() + row * columns,
            c + 1 < chunks ? state(grad_states, c) : nullptr,
            state(grad_states, c - 1), dx.device() + row * stride, partials.device(), bias_partials.device(), static_cast<int>(row),
            chunk, columns, count, stride, stride, groups_of);
        const std::vector<float> some = partials.host();
        for (size_t i = 0; i < some.size(); i++)
        {
            sums[i % sums.size()] += some[i];
        }

        const std::vector<float> others = bias_partials.host();
        for (size_t i = 0; i < others.size(); i++)
        {
            bias_sums[i % columns] += others[i];
        }
    }

    const std::vector<float> result = y.host(), kept = states.host();
    const std::vector<T> dresult = dx.host();
    for (int i = (count - 1) * columns; i < room; i++)
    {
        check(kept[i] == 0.0f, "the room behind a state is not 0, " + where);
    }

    for (int j = 0; j < columns; j++)
    {
        std::vector<double> of_taps(count);
        double of_bias = 0;
        for (int t = 0; t < tokens; t++)
        {
            const double c = convolution(t, j);
            check_close(result[static_cast<size_t>(t) * columns + j], c / (1 + std::exp(-c)), 3 * count, 24, "y, " + where);
            double dx_t = 0;
            of_bias += slope(t, j);
            for (int ahead = 0; ahead < count && t + ahead < tokens && first[t + ahead] <= t; ahead++)
            {
                dx_t += tap(j, ahead) * slope(t + ahead, j);
            }

            check_close(dresult[static_cast<size_t>(t) * stride + j], dx_t, 3 * count, 48, "dx, " + where);
            for (int back = 0; back < count && t - back >= first[t]; back++)
            {
                of_taps[count - 1 - back] += slope(t, j) * at(t - back, j);
            }
        }

        check_close(static_cast<float>(bias_sums[j]), of_bias, 2 * tokens, 48, "dbias, " + where);
        for (int k = 0; k < count; k++)
        {
            check_close(static_cast<float>(sums[static_cast<size_t>(j) * count + k]), of_taps[k], 2 * tokens, 48, "dtaps, " + where);
        }
    }
}

} // namespace

TEST(CausalConvolutionsPassTheirStateFromChunkToChunkAndItsGradientBack)
{
    for (const auto& [chunk, columns, count] :
        std::vector<std::array<int, 3>>{{40, 8, 4}, {8, 130, 4}, {5, 33, 2}, {2, 7, 5}, {10, 1, 16}, {1, 3, 16}})
    {
        check_row<float>(chunk, columns, count);
        check_row<Bf16>(chunk, columns, count);
    }
}
