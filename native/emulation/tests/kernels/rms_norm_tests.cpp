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

// dw of partials by the second stage.
template <typename W> std::vector<W> column_sum(Array<float>& partials, const std::vector<W>& old, int groups, bool accumulate)
{
    Array<W> out(accumulate ? old : std::vector<W>(old.size(), rounded<W>(NAN)));
    kernel("column_sum", std::string("column_sum_") + Type<W>::Name + any_rows<float>(old.size()))
        .run({divided_up(old.size(), 32)}, {256}, 0, partials.device(), out.device(), groups, static_cast<int>(old.size()),
            accumulate ? 1 : 0);
    return out.host();
}

// Where there is an addend, the weight has an offset too.
template <typename T> void check_forward(const Shape& shape, bool adds = false)
{
    const float offset = adds ? 1.0f : 0.0f;
    Numbers numbers(shape.columns);
    const std::vector<T> x = numbers.many<T>(static_cast<size_t>(shape.rows) * shape.columns, 3), w = numbers.many<T>(shape.columns, 2),
                         stream = numbers.many<T>(x.size());
    Array<T> device_x(x), device_w(w), device_stream(stream), y(x.size());
    Array<float> rstd(shape.rows);
    const uint32_t block = block_for(divided_up(shape.columns / pack_of<T>(shape.columns), 4), 64, 512);
    const auto forward = kernel("rms_norm", std::string("rms_norm_forward_") + Type<T>::Name + any_rows<T>(shape.columns));
    forward.run({static_cast<uint32_t>(shape.rows)}, {block}, 0, device_x.device(), device_w.device(),
        adds ? device_stream.device() : nullptr, y.device(), rstd.device(), offset, Eps, shape.columns);
    const std::vector<T> result = y.host();
    const std::vector<float> scales = rstd.host();
    for (int r = 0; r < shape.rows; r++)
    {
        double sum = 0;
        for (int c = 0; c < shape.columns; c++)
        {
            sum += std::pow(to_float(x[static_cast<size_t>(r) * shape.columns + c]), 2.0);
        }

        const double scale = 1 / std::sqrt(sum / shape.columns + Eps);
        check_close(scales[r], scale, scale, 4, "rstd, " + name_of(shape));
        for (int c = 0; c < shape.columns; c++)
        {
            const size_t at = static_cast<size_t>(r) * shape.columns + c;
            const double normed = static_cast<double>(to_float(x[at])) * scale * (to_float(w[c]) + offset);
            const double added = adds ? to_float(stream[at]) : 0;
            check_close(result[at], added + normed, std::fabs(added) + std::fabs(normed), 8, "y, " + name_of(shape));
        }
    }

    Array<T>& place = adds ? device_stream : device_x;
    forward.run({static_cast<uint32_t>(shape.rows)}, {block}, 0, device_x.device(), device_w.device(),
        adds ? device_stream.device() : nullptr, place.device(), rstd.device(), offset, Eps, shape.columns);
    check_same(place.host(), result, "y and y in place");
}

enum class Addend { None, InPlace, GradientInPlace };

// G: the type of dy.
template <typename T, typename W, typename G = T>
void check_backward(
    const Shape& shape, Addend addend, bool accumulate, uint64_t seed = 1, std::vector<W>* weights = nullptr, float offset = 0)
{
    constexpr bool Wide = sizeof(G) > sizeof(T);
    Numbers numbers(shape.columns + 1);
    const size_t count = static_cast<size_t>(shape.rows) * shape.columns;
    const std::vector<G> dy = numbers.many<G>(count);
    const std::vector<T> x = numbers.many<T>(count, 3), w = numbers.many<T>(shape.columns, 2), stream = numbers.many<T>(count);
    const std::vector<W> old = numbers.many<W>(shape.columns);
    std::vector<float> rstd(shape.rows);
    for (int r = 0; r < shape.rows; r++)
    {
        double sum = 0;
        for (int c = 0; c < shape.columns; c++)
        {
            sum += std::pow(to_float(x[static_cast<size_t>(r) * shape.columns + c]), 2.0);
        }

        rstd[r] = static_cast<float>(1 / std::sqrt(sum / shape.columns + Eps));
    }

    const int64_t by_size = divided_up(static_cast<int64_t>(count), 1 << 20), by_rows = divided_up(shape.rows, 256);
    const int group_rows = static_cast<int>(std::max<int64_t>(4, std::min(by_size, by_rows)));
    const uint32_t groups = divided_up(shape.rows, group_rows);
    Array<G> device_dy(dy);
    Array<T> device_x(x), device_w(w), device_stream(stream), output(count);
    Array<float> device_rstd(rstd), partials(static_cast<size_t>(groups) * shape.columns);
    T* plus = addend == Addend::InPlace ? device_stream.device() : nullptr;
    T* dx = addend == Addend::InPlace ? device_stream.device()
            : addend == Addend::None  ? output.device()
                                      : reinterpret_cast<T*>(device_dy.device());
    const std::string name = (Wide ? "bf16_f32" : Type<T>::Name) + any_rows<T>(shape.columns);
    kernel("rms_norm", "rms_norm_backward_" + name, seed)
        .run({groups}, {block_for(divided_up(shape.columns / pack_of<T>(shape.columns), 2), 64, 768)}, 0, device_dy.device(),
            device_x.device(),
            device_rstd.device(), device_w.device(), plus, dx, partials.device(), offset, shape.rows, shape.columns, group_rows);
    std::vector<T> result = addend == Addend::InPlace ? device_stream.host() : std::vector<T>();
    if constexpr (!Wide)
    {
        result = addend == Addend::GradientInPlace ? device_dy.host() : result;
    }

    result = addend == Addend::None ? output.host() : result;
    const std::vector<W> dw = column_sum(partials, old, static_cast<int>(groups), accumulate);

    std::vector<double> sums(shape.columns), sizes(shape.columns);
    for (int r = 0; r < shape.rows; r++)
    {
        const size_t start = static_cast<size_t>(r) * shape.columns;
        double mean = 0, size = 0;
        for (int c = 0; c < shape.columns; c++)
        {
            const double n = static_cast<double>(to_float(x[start + c])) * rstd[r], g = to_float(dy[start + c]);
            mean += g * (to_float(w[c]) + offset) * n / shape.columns;
            size += std::fabs(g * (to_float(w[c]) + offset) * n) / shape.columns;
            sums[c] += g * n;
            sizes[c] += std::fabs(g * n);
        }

        for (int c = 0; c < shape.columns; c++)
        {
            const double n = static_cast<double>(to_float(x[start + c])) * rstd[r];
            const double direct = to_float(dy[start + c]) * (to_float(w[c]) + offset);
            const double added = addend == Addend::InPlace ? to_float(stream[start + c]) : 0;
            const double scale = rstd[r] * (std::fabs(direct) + std::fabs(n) * size) + std::fabs(added);
            check_close(result[start + c], added + rstd[r] * (direct - n * mean), scale, 16, "dx, " + name_of(shape));
        }
    }

    for (int c = 0; c < shape.columns; c++)
    {
        const double before = accumulate ? to_float(old[c]) : 0;
        check_close(dw[c], before + sums[c], sizes[c] + std::fabs(before), 4, "dw, " + name_of(shape));
    }

    if (weights != nullptr)
    {
        *weights = dw;
    }
}

const Shape Small[] = {{1, 8}, {3, 64}, {5, 48}, {21, 264}, {9, 4096}, {1, 1}, {7, 42}, {5, 4099}};

} // namespace

TEST(RmsNormForwardIsItsDefinition)
{
    for (const Shape& shape : Small)
    {
        check_forward<float>(shape);
        check_forward<Bf16>(shape);
    }
}

TEST(RmsNormForwardAddsAnOffsetToTheWeightAndTheResultToAnAddend)
{
    for (const Shape& shape : Small)
    {
        check_forward<float>(shape, true);
        check_forward<Bf16>(shape, true);
    }

    check_forward<float>({2, 20004}, true);
    check_forward<Bf16>({2, 40008}, true);
}

TEST(RmsNormForwardReadsAgainWhatRegistersDoNotHold)
{
    check_forward<float>({2, 20004});
    check_forward<Bf16>({2, 40008});
}

TEST(RmsNormBackwardIsItsDefinition)
{
    for (const Shape& shape : Small)
    {
        check_backward<float, float>(shape, Addend::InPlace, true);
        check_backward<Bf16, Bf16>(shape, Addend::InPlace, true);
        check_backward<Bf16, float>(shape, Addend::InPlace, false);
        check_backward<Bf16, Bf16>(shape, Addend::None, false);
        check_backward<float, float>(shape, Addend::GradientInPlace, false);
    }
}

TEST(RmsNormBackwardTakesTheOffsetIntoAccount)
{
    for (const Shape& shape : Small)
    {
        check_backward<float, float>(shape, Addend::InPlace, true, 1, nullptr, 1);
        check_backward<Bf16, float>(shape, Addend::None, false, 1, nullptr, 1);
    }

    check_backward<float, float>({6, 8204}, Addend::InPlace, true, 1, nullptr, 1);
}

TEST(RmsNormBackwardAddsUpInMemoryWhatRegistersDoNotHold)
{
    check_backward<float, float>({6, 8204}, Addend::InPlace, true);
    check_backward<Bf16, Bf16>({6, 16408}, Addend::InPlace, true);
    check_backward<Bf16, Bf16>({6, 16408}, Addend::GradientInPlace, false);
}

TEST(RmsNormBackwardOfManyRowsIsItsDefinition) { check_backward<Bf16, float>({1301, 64}, Addend::InPlace, true); }

TEST(RmsNormBackwardOfAGradientInFp32IsItsDefinition)
{
    for (const Shape& shape : Small)
    {
        check_backward<Bf16, Bf16, float>(shape, Addend::None, false);
        check_backward<Bf16, float, float>(shape, Addend::None, true);
        check_backward<Bf16, Bf16, float>(shape, Addend::InPlace, true);
    }

    check_backward<Bf16, Bf16, float>({6, 16408}, Addend::InPlace, true);
    check_backward<Bf16, float, float>({6, 16408}, Addend::None, false);
    check_backward<Bf16, float, float>({1301, 64}, Addend::None, true);
}

TEST(RmsNormBackwardDoesNotDependOnTheOrderOfThreads)
{
    std::vector<Bf16> first, second;
    check_backward<Bf16, Bf16>({67, 512}, Addend::InPlace, true, 11, &first);
    check_backward<Bf16, Bf16>({67, 512}, Addend::InPlace, true, 12, &second);
    check_same(first, second, "weight gradients");
    check_backward<Bf16, Bf16, float>({67, 512}, Addend::None, true, 11, &first);
    check_backward<Bf16, Bf16, float>({67, 512}, Addend::None, true, 12, &second);
    check_same(first, second, "weight gradients of a gradient in fp32");
}
