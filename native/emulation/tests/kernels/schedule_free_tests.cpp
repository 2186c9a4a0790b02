// schedule_free.cu against its definition in float64, in the three ways of storing it that round to nearest.
#include "kernel_test.h"

namespace
{

struct State
{
    double y, z, v;
};

constexpr double kBeta1 = 0.9, kBeta2 = 0.99, kShare = 0.3;
constexpr int kStep = 3;

State defined(State s, double g, const StepBlock& step, bool decays)
{
    const double rate = step.learning_rate;
    s.v = kBeta2 * s.v + (1 - kBeta2) * g * g;
    const double u = g / (std::sqrt(s.v / (1 - std::pow(kBeta2, kStep))) + step.epsilon) + (decays ? step.weight_decay * s.y : 0);
    s.y = s.y + kShare * (s.z - s.y) + rate * (kBeta1 * (1 - kShare) - 1) * u;
    s.z -= rate * u;
    return s;
}

StepBlock step_block()
{
    StepBlock block = {};
    block.learning_rate = 0.01f;
    block.weight_decay = 0.25f;
    block.beta1 = static_cast<float>(kBeta1);
    block.beta2 = static_cast<float>(kBeta2);
    block.one_minus_beta1 = static_cast<float>(1 - kBeta1);
    block.one_minus_beta2 = static_cast<float>(1 - kBeta2);
    block.bias_correction2 = static_cast<float>(1 - std::pow(kBeta2, kStep));
    block.epsilon = 1e-8f;
    block.clip_norm = 1;
    block.step = kStep;
    block.average_share = static_cast<float>(kShare);
    return block;
}

template <typename T> void check_rule(int count, bool decays, bool clips, bool master)
{
    Numbers numbers(count);
    const std::vector<T> old_y = numbers.many<T>(count), gradient = numbers.many<T>(count, 0.1f), old_z = numbers.many<T>(count);
    std::vector<T> old_v = numbers.many<T>(count, 0.05f);
    for (T& v : old_v)
    {
        v = rounded<T>(std::fabs(to_float(v)));
    }

    // z, then v, a stride apart that is no multiple of the count.
    const int64_t stride = (count + 255) / 128 * 128;
    std::vector<T> moments(stride + count, rounded<T>(0));
    std::copy(old_z.begin(), old_z.end(), moments.begin());
    std::copy(old_v.begin(), old_v.end(), moments.begin() + stride);

    const StepBlock block = step_block();
    Array<StepBlock> device_block(std::vector<StepBlock>{block});
    Array<double> norms(std::vector<double>{9, 7});
    Array<T> y(old_y), g(gradient), m(moments);
    Array<Bf16> copy(count);
    const double* norm_pointer = clips ? norms.device() : nullptr;
    const int norm_count = clips ? 2 : 0;
    const double clip = clips ? 1 / (4 + 1e-6) : 1;
    const uint32_t grid = divided_up(count, sizeof(T) == 4 && !master ? 1024 : 2048);
    const std::string name = std::string("schedule_free") + (master ? "_bf16_master" : std::string("_") + Type<T>::Name);
    const auto update = kernel("schedule_free", name);
    if (master)
    {
        update.run({grid}, {256}, 0, y.device(), static_cast<const T*>(g.device()), m.device(), stride, copy.device(), norm_pointer,
            device_block.device(), static_cast<int64_t>(count), norm_count, 1.0f, decays ? 1.0f : 0.0f, 0.0f);
    }
    else
    {
        update.run({grid}, {256}, 0, y.device(), static_cast<const T*>(g.device()), m.device(), stride, norm_pointer,
            device_block.device(), static_cast<int64_t>(count), norm_count, 1.0f, decays ? 1.0f : 0.0f, 0.0f);
    }

    const std::vector<T> new_y = y.host(), new_m = m.host();
    const std::vector<Bf16> new_copy = master ? copy.host() : std::vector<Bf16>(count);
    for (int i = 0; i < count; i++)
    {
        const State old = {to_float(old_y[i]), to_float(old_z[i]), to_float(old_v[i])};
        const State expected = defined(old, to_float(gradient[i]) * clip, block, decays);
        check_close(new_y[i], expected.y, std::fabs(to_float(old_y[i])) + 1, 8, "y, " + name);
        check_close(new_m[i], expected.z, std::fabs(to_float(old_z[i])) + 1, 8, "z, " + name);
        check_close(new_m[stride + i], expected.v, std::fabs(to_float(old_v[i])) + 0.01, 8, "v, " + name);
        check(!master || new_copy[i] == rounded<Bf16>(to_float(new_y[i])), "the working copy is not the rounded master");
    }
}

} // namespace

TEST(ScheduleFreeIsItsDefinition)
{
    for (int count : {8, 1043, 4104})
    {
        for (const bool on : {false, true})
        {
            check_rule<float>(count, on, !on, false);
            check_rule<Bf16>(count, !on, on, false);
            check_rule<float>(count, on, on, true);
        }
    }
}
