// Kernels of adapters: lengths of rows (DoRA) and dropout.
#include "kernel_test.h"

namespace
{

template <typename T> void check_scales(int rows, int columns, int rank)
{
    Numbers numbers(rows + columns);
    const std::vector<T> w = numbers.many<T>(static_cast<size_t>(rows) * columns);
    const std::vector<T> a = numbers.many<T>(static_cast<size_t>(rank) * columns);
    const std::vector<T> b = numbers.many<T>(static_cast<size_t>(rows) * rank), m = numbers.many<T>(rows);
    Array<T> dw(w), da(a), db(b), dm(m);
    Array<float> scales(std::vector<float>(2 * static_cast<size_t>(rows), NAN));
    kernel("dora", std::string("dora_scales_") + Type<T>::Name)
        .run({static_cast<uint32_t>(rows)}, {256}, 0, dw.device(), da.device(), db.device(), dm.device(), scales.device(), rows, columns,
            rank, 0.5f);
    const std::vector<float> got = scales.host();
    for (int i = 0; i < rows; i++)
    {
        double squares = 0;
        for (int j = 0; j < columns; j++)
        {
            double value = to_float(w[static_cast<size_t>(i) * columns + j]);
            for (int k = 0; k < rank; k++)
            {
                value += 0.5 * to_float(b[static_cast<size_t>(i) * rank + k]) * to_float(a[static_cast<size_t>(k) * columns + j]);
            }

            squares += value * value;
        }

        const double inverse = 1 / std::sqrt(squares), size = 20 * inverse;
        check_close(got[i], to_float(m[i]) * inverse, size, 4, "scale of a row");
        check_close(got[rows + i], inverse, size, 4, "one over a row's length");
    }
}

template <typename T> void check_forward(int rows, int columns, bool all)
{
    const int wide = columns + 3;
    Numbers numbers(columns);
    const std::vector<T> x = numbers.many<T>(static_cast<size_t>(rows) * wide), addend = numbers.many<T>(static_cast<size_t>(rows) * wide);
    const std::vector<T> bias = numbers.many<T>(columns), before = numbers.many<T>(static_cast<size_t>(rows) * wide);
    const std::vector<float> scales = numbers.many<float>(2 * static_cast<size_t>(columns));
    Array<T> from(x), plus(addend), row(bias), to(before);
    Array<float> factors(scales);
    kernel("dora", std::string("dora_forward_") + Type<T>::Name)
        .run({static_cast<uint32_t>(rows), divided_up(columns, 256)}, {256}, 0, from.device(), all ? factors.device() : nullptr,
            all ? row.device() : nullptr, all ? plus.device() : nullptr, to.device(), columns, wide, wide, wide, 0.25f);
    const std::vector<T> got = to.host();
    for (int r = 0; r < rows; r++)
    {
        for (int c = 0; c < wide; c++)
        {
            const size_t at = static_cast<size_t>(r) * wide + c;
            double expected = to_float(before[at]);
            if (c < columns)
            {
                expected = 0.25 * to_float(x[at]) * (all ? scales[c] : 1) + (all ? to_float(bias[c]) + to_float(addend[at]) : 0.0);
            }

            check_close(got[at], expected, 3, 4, "a column times its factor");
        }
    }
}

template <typename T, typename G> void check_backward(int rows, int columns, bool accumulate)
{
    const int wide = columns + 5;
    Numbers numbers(rows);
    const std::vector<T> dy = numbers.many<T>(static_cast<size_t>(rows) * wide), x = numbers.many<T>(static_cast<size_t>(rows) * wide);
    const std::vector<float> scales = numbers.many<float>(2 * static_cast<size_t>(columns));
    const std::vector<G> old = numbers.many<G>(columns);
    Array<T> gradient(dy), value(x);
    Array<float> factors(scales);
    Array<G> sums(accumulate ? old : std::vector<G>(columns, rounded<G>(NAN)));
    kernel("dora", std::string("dora_backward_") + Type<T>::Name + "_" + Type<G>::Name)
        .run({divided_up(columns, 32)}, {256}, 0, gradient.device(), value.device(), factors.device(), gradient.device(), sums.device(),
            rows, columns, wide, wide, wide, 0.5f, accumulate ? 1 : 0);
    const std::vector<T> got = gradient.host();
    const std::vector<G> total = sums.host();
    for (int c = 0; c < wide; c++)
    {
        double sum = 0;
        for (int r = 0; r < rows; r++)
        {
            const size_t at = static_cast<size_t>(r) * wide + c;
            check_close(got[at], to_float(dy[at]) * (c < columns ? scales[c] : 1.0), 1, 2, "a gradient times its factor");
            sum += static_cast<double>(to_float(dy[at])) * to_float(x[at]);
        }

        if (c < columns)
        {
            const double expected = 0.5 * scales[columns + c] * sum + (accumulate ? to_float(old[c]) : 0.0);
            check_close(total[c], expected, std::fabs(sum) + 1, 2, "the gradient of a magnitude");
        }
    }
}

// Philox4x32-10 as its paper gives it.
struct Counter
{
    uint32_t v[4];
};

Counter random_of(Counter counter, uint64_t key)
{
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9e3779b9, k1 += 0xbb67ae85)
    {
        const uint64_t a = uint64_t{0xd2511f53} * counter.v[0], b = uint64_t{0xcd9e8d57} * counter.v[2];
        counter = {{static_cast<uint32_t>(b >> 32) ^ counter.v[1] ^ k0, static_cast<uint32_t>(b),
            static_cast<uint32_t>(a >> 32) ^ counter.v[3] ^ k1, static_cast<uint32_t>(a)}};
    }

    return counter;
}

template <typename T> void check_dropout(int rows, int columns, bool adds)
{
    const uint32_t module = 1u << 31 | 77, threshold = 1 << 14;
    const int64_t first = 100;
    Numbers numbers(rows + columns);
    const std::vector<T> x = numbers.many<T>(static_cast<size_t>(rows) * columns);
    const std::vector<T> old = numbers.many<T>(static_cast<size_t>(rows) * columns);
    StepBlock step = {};
    step.step = 3;
    step.seed = 9;
    Array<T> from(x), to(old);
    Array<StepBlock> block(std::vector<StepBlock>{step});
    const float scale = 4.0f / 3;
    kernel("dropout", std::string("dropout_") + Type<T>::Name)
        .run({divided_up(rows * ((columns + 7) / 8), 256)}, {256}, 0, from.device(), to.device(), block.device(), first, rows, columns,
            module, threshold, scale, adds ? 1 : 0);
    const std::vector<T> got = to.host();
    for (int r = 0; r < rows; r++)
    {
        for (int c = 0; c < columns; c++)
        {
            const Counter bits = random_of({{static_cast<uint32_t>(first + r), static_cast<uint32_t>(c / 8), 3, module}}, 9);
            const bool kept = (bits.v[c % 8 / 2] >> c % 2 * 16 & 0xffff) >= threshold;
            const size_t at = static_cast<size_t>(r) * columns + c;
            const double expected = (kept ? static_cast<double>(to_float(x[at])) * scale : 0.0) + (adds ? to_float(old[at]) : 0.0);
            check_close(got[at], expected, 3, 2, "what dropout leaves");
        }
    }
}

} // namespace

TEST(DoraScalesAreMagnitudesOverLengthsOfRows)
{
    check_scales<float>(3, 700, 4);
    check_scales<Bf16>(5, 33, 9);
    check_scales<float>(1, 1, 1);
}

TEST(DoraMultipliesColumnsOfWiderMatrices)
{
    for (bool all : {false, true})
    {
        check_forward<float>(5, 300, all);
        check_forward<Bf16>(7, 21, all);
    }
}

TEST(DoraGradientsAreThoseOfTheDefinition)
{
    check_backward<float, float>(37, 70, true);
    check_backward<Bf16, float>(9, 33, false);
    check_backward<Bf16, Bf16>(64, 32, true);
    check_backward<float, float>(1, 1, false);
}

TEST(DropoutKeepsByTokenColumnStepModuleAndSeed)
{
    for (bool adds : {false, true})
    {
        check_dropout<float>(35, 21, adds);
        check_dropout<Bf16>(9, 64, adds);
    }
}
