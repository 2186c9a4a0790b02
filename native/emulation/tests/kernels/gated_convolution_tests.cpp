#include <algorithm>
#include <array>

#include "kernel_test.h"

namespace
{

// A row of documents in chunks, forward and back, against the definition over the whole row in float64.
template <typename T> void check_row(int chunk, int columns, int count)
{
    const int tokens = 40, chunks = tokens / chunk;
    const std::vector<int> documents = {0, 11, 12, 14, 29};
    std::vector<int> first(tokens);
    for (int t = 0, d = 0; t < tokens; t++)
    {
        d += d + 1 < static_cast<int>(documents.size()) && documents[d + 1] <= t;
        first[t] = documents[d];
    }

    const std::string where =
        std::to_string(chunk) + " tokens, " + std::to_string(columns) + " columns, " + std::to_string(count) + " taps";
    Numbers numbers(columns + count);
    const std::vector<T> x = numbers.many<T>(static_cast<size_t>(tokens) * 3 * columns, 2),
                         taps = numbers.many<T>(static_cast<size_t>(columns) * count),
                         dy = numbers.many<T>(static_cast<size_t>(tokens) * columns);
    const auto at = [&](int t, int part, int j) {
        return static_cast<double>(to_float(x[(static_cast<size_t>(t) * 3 + part) * columns + j]));
    };
    const auto u = [&](int t, int j) {
        return static_cast<double>(to_float(rounded<T>(static_cast<float>(at(t, 0, j)) * static_cast<float>(at(t, 2, j)))));
    };
    const auto tap = [&](int j, int back) {
        return static_cast<double>(to_float(taps[static_cast<size_t>(j) * count + count - 1 - back]));
    };
    const auto gradient = [&](int t, int j) { return static_cast<double>(to_float(dy[static_cast<size_t>(t) * columns + j])); };

    // A state lies at the beginning of as many elements as the chunk's rows have, of which it does not need the last.
    const int room = (count - 1) * columns + 5, groups_of = std::max(8, static_cast<int>(divided_up(chunk, 128)));
    const uint32_t groups = divided_up(chunk, groups_of), blocks = divided_up(columns, 128);
    Array<T> device_x(x), device_taps(taps), device_dy(dy), y(static_cast<size_t>(tokens) * columns), dx(x.size());
    Array<T> states(std::vector<T>(static_cast<size_t>(chunks) * room, rounded<T>(NAN)));
    Array<float> grad_states(static_cast<size_t>(chunks) * room);
    Array<float> partials(static_cast<size_t>(groups) * columns * count);
    Array<int> device_first(first);
    const auto forward = kernel("gated_convolution", std::string("gated_convolution_forward_") + Type<T>::Name);
    const auto backward = kernel("gated_convolution", std::string("gated_convolution_backward_") + Type<T>::Name);
    for (int c = 0; c < chunks; c++)
    {
        const int row = c * chunk;
        forward.run({blocks, groups}, {128}, 0, device_x.device() + static_cast<size_t>(row) * 3 * columns, device_taps.device(),
            device_first.device() + row, c > 0 ? states.device() + static_cast<size_t>(c - 1) * room : nullptr,
            y.device() + static_cast<size_t>(row) * columns, states.device() + static_cast<size_t>(c) * room, 5, row, chunk, columns,
            count, groups_of);
    }

    std::vector<double> sums(taps.size());
    for (int c = chunks - 1; c >= 0; c--)
    {
        const int row = c * chunk;
        backward.run({blocks, groups}, {128}, 0, device_x.device() + static_cast<size_t>(row) * 3 * columns, device_taps.device(),
            device_first.device() + row, c > 0 ? states.device() + static_cast<size_t>(c - 1) * room : nullptr,
            device_dy.device() + static_cast<size_t>(row) * columns,
            c + 1 < chunks ? grad_states.device() + static_cast<size_t>(c) * room : nullptr,
            c > 0 ? grad_states.device() + static_cast<size_t>(c - 1) * room : nullptr,
            dx.device() + static_cast<size_t>(row) * 3 * columns, partials.device(), row, chunk, columns, count, groups_of);
        const std::vector<float> some = partials.host();
        for (size_t i = 0; i < some.size(); i++)
        {
            sums[i % sums.size()] += some[i];
        }
    }

    const std::vector<T> result = y.host(), dresult = dx.host(), kept = states.host();
    for (int i = (count - 1) * columns; i < room; i++)
    {
        check(to_float(kept[i]) == 0.0f, "the room behind a state is not 0, " + where);
    }

    for (int j = 0; j < columns; j++)
    {
        std::vector<double> of_taps(count), sizes(count);
        for (int t = 0; t < tokens; t++)
        {
            double conv = 0, size = 0, du = 0, du_size = 0;
            for (int back = 0; back < count && t - back >= first[t]; back++)
            {
                conv += tap(j, back) * u(t - back, j);
                size += std::fabs(tap(j, back) * u(t - back, j));
                of_taps[count - 1 - back] += gradient(t, j) * at(t, 1, j) * u(t - back, j);
                sizes[count - 1 - back] += std::fabs(gradient(t, j) * at(t, 1, j) * u(t - back, j));
            }

            for (int ahead = 0; ahead < count && t + ahead < tokens && first[t + ahead] <= t; ahead++)
            {
                const double term = tap(j, ahead) * gradient(t + ahead, j) * at(t + ahead, 1, j);
                du += term;
                du_size += std::fabs(term);
            }

            const T* d = &dresult[static_cast<size_t>(t) * 3 * columns + j];
            check_close(result[static_cast<size_t>(t) * columns + j], at(t, 1, j) * conv, std::fabs(at(t, 1, j)) * size, 24, "y, " + where);
            check_close(d[0], du * at(t, 2, j), du_size * std::fabs(at(t, 2, j)), 24, "db, " + where);
            check_close(d[columns], gradient(t, j) * conv, std::fabs(gradient(t, j)) * size, 24, "dc, " + where);
            check_close(d[2 * columns], du * at(t, 0, j), du_size * std::fabs(at(t, 0, j)), 24, "dh, " + where);
        }

        for (int k = 0; k < count; k++)
        {
            check_close(static_cast<float>(sums[static_cast<size_t>(j) * count + k]), of_taps[k], sizes[k], 64, "dtaps, " + where);
        }
    }
}

} // namespace

TEST(GatedConvolutionsPassTheirStateFromChunkToChunkAndItsGradientBack)
{
    for (const auto& [chunk, columns, count] :
        std::vector<std::array<int, 3>>{{40, 8, 3}, {8, 130, 4}, {5, 33, 2}, {2, 7, 5}, {10, 1, 16}, {1, 3, 16}})
    {
        check_row<float>(chunk, columns, count);
        check_row<Bf16>(chunk, columns, count);
    }
}
