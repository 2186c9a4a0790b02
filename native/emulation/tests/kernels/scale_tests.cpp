// scale.cu and expert_scale.cu against their definitions.
#include "kernel_test.h"

namespace
{

template <typename T> void check_scale(int count)
{
    Numbers numbers(count);
    const std::vector<T> x = numbers.many<T>(count), factor = numbers.many<T>(1);
    Array<T> device_x(x), device_factor(factor);
    kernel("scale", std::string("scale_") + Type<T>::Name)
        .run({divided_up(count, 256)}, {256}, 0, device_x.device(), device_factor.device(), static_cast<int64_t>(count));
    const std::vector<T> scaled = device_x.host();
    for (int i = 0; i < count; i++)
    {
        check_close(scaled[i], static_cast<double>(to_float(x[i])) * to_float(factor[0]), 0, 2, "x scaled");
    }
}

} // namespace

TEST(ScaleMultipliesEachElementByTheFactor)
{
    for (int count : {1, 255, 256, 777})
    {
        check_scale<float>(count);
        check_scale<Bf16>(count);
    }
}

namespace
{

// Experts of 4, 0, 300 and 1 rows.
template <typename T> void check_expert_scale()
{
    const std::vector<int> first = {0, 4, 4, 304, 305};
    const int rows = first.back(), experts = static_cast<int>(first.size()) - 1;
    Numbers numbers(3);
    const std::vector<float> weights = numbers.many<float>(rows), dy = numbers.many<float>(rows);
    const std::vector<T> factors = numbers.many<T>(experts);
    Array<float> device_weights(weights), scaled(rows), gradient(dy), sums(experts);
    Array<int> expert_rows(first);
    Array<T> device_factors(factors);
    kernel("expert_scale", std::string("expert_scale_forward_") + Type<T>::Name)
        .run({static_cast<uint32_t>(experts)}, {256}, 0, device_weights.device(), expert_rows.device(), device_factors.device(),
            scaled.device());
    kernel("expert_scale", std::string("expert_scale_backward_") + Type<T>::Name)
        .run({static_cast<uint32_t>(experts)}, {256}, 0, gradient.device(), device_weights.device(), expert_rows.device(),
            device_factors.device(), sums.device());
    const std::vector<float> y = scaled.host(), dx = gradient.host(), got = sums.host();
    for (int e = 0; e < experts; e++)
    {
        const double factor = to_float(factors[e]);
        double sum = 0, size = 0;
        for (int row = first[e]; row < first[e + 1]; row++)
        {
            check_close(y[row], weights[row] * factor, 0, 2, "weights scaled");
            check_close(dx[row], dy[row] * factor, 0, 2, "gradient of weights");
            sum += static_cast<double>(dy[row]) * weights[row];
            size += std::fabs(static_cast<double>(dy[row]) * weights[row]);
        }

        check_close(got[e], sum, size, 8, "gradient of an expert's number");
    }
}

} // namespace

TEST(ExpertScaleMultipliesTheWeightsOfAnExpertsRows)
{
    check_expert_scale<float>();
    check_expert_scale<Bf16>();
}
