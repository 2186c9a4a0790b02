// Rules with one moment, lion.cu and sgd.cu, against their definitions in float64, in the three ways of storing them that round to nearest.
#include "kernel_test.h"

namespace
{

struct State
{
    double w, m;
};

// What a group of parameters makes of the step's learning rate and weight decay.
struct Factors
{
    float rate, decay, own_decay;

    double rate_of(const StepBlock& s) const { return static_cast<double>(s.learning_rate) * rate; }
    double decay_of(const StepBlock& s) const { return static_cast<double>(s.weight_decay) * decay + own_decay; }
};

State lion(double w, double g, double m, const StepBlock& s, const Factors& f)
{
    const double sum = 0.9 * m + 0.1 * g, sign = sum > 0 ? 1 : sum < 0 ? -1 : 0;
    return {w * (1 - f.rate_of(s) * f.decay_of(s)) - f.rate_of(s) * sign, 0.99 * m + 0.01 * g};
}

State sgd(double w, double g, double m, const StepBlock& s, const Factors& f)
{
    g += f.decay_of(s) * w;
    m = s.momentum * m + g;
    return {w - f.rate_of(s) * (s.nesterov != 0 ? g + s.momentum * m : m), m};
}

StepBlock step_block(float nesterov)
{
    StepBlock block = {};
    block.learning_rate = 0.01f;
    block.weight_decay = 0.25f;
    block.beta1 = 0.9f;
    block.beta2 = 0.99f;
    block.one_minus_beta1 = 0.1f;
    block.one_minus_beta2 = 0.01f;
    block.momentum = 0.75f;
    block.nesterov = nesterov;
    block.clip_norm = 1;
    block.step = 3;
    return block;
}

using Rule = State (*)(double, double, double, const StepBlock&, const Factors&);

template <typename T>
void check_rule(const std::string& rule, Rule defined, int count, float nesterov, const Factors& factors, bool clips, bool master)
{
    Numbers numbers(count);
    const std::vector<T> old_w = numbers.many<T>(count), gradient = numbers.many<T>(count, 0.1f);
    std::vector<T> old_m = numbers.many<T>(count, 0.05f);
    for (int i = 0; i < count; i += 7)
    {
        old_m[i] = rounded<T>(0);
    }

    const StepBlock block = step_block(nesterov);
    Array<StepBlock> device_block(std::vector<StepBlock>{block});
    Array<double> norms(std::vector<double>{9, 7});
    Array<T> w(old_w), g(gradient), m(old_m);
    Array<Bf16> copy(count);
    const double* norm_pointer = clips ? norms.device() : nullptr;
    const int norm_count = clips ? 2 : 0;
    const double clip = clips ? 1 / (4 + 1e-6) : 1;
    const uint32_t grid = divided_up(count, sizeof(T) == 4 && !master ? 1024 : 2048);
    const std::string name = rule + (master ? "_bf16_master" : std::string("_") + Type<T>::Name);
    const auto update = kernel(rule, name);
    if (master)
    {
        update.run({grid}, {256}, 0, w.device(), static_cast<const T*>(g.device()), m.device(), int64_t{0}, copy.device(), norm_pointer,
            device_block.device(), static_cast<int64_t>(count), norm_count, factors.rate, factors.decay, factors.own_decay);
    }
    else
    {
        update.run({grid}, {256}, 0, w.device(), static_cast<const T*>(g.device()), m.device(), int64_t{0}, norm_pointer,
            device_block.device(), static_cast<int64_t>(count), norm_count, factors.rate, factors.decay, factors.own_decay);
    }

    const std::vector<T> new_w = w.host(), new_m = m.host();
    const std::vector<Bf16> new_copy = master ? copy.host() : std::vector<Bf16>(count);
    for (int i = 0; i < count; i++)
    {
        const State expected = defined(to_float(old_w[i]), to_float(gradient[i]) * clip, to_float(old_m[i]), block, factors);
        check_close(new_w[i], expected.w, std::fabs(to_float(old_w[i])) + 0.05, 8, "w, " + name);
        check_close(new_m[i], expected.m, std::fabs(to_float(old_w[i])) + 0.2, 8, "m, " + name);
        check(!master || new_copy[i] == rounded<Bf16>(to_float(new_w[i])), "the working copy is not the rounded master");
    }
}

void check_all(const std::string& rule, Rule defined)
{
    for (int count : {8, 1043, 4104})
    {
        for (const bool on : {false, true})
        {
            const float nesterov = on ? 1 : 0;
            const Factors plain{1, 1, 0}, group{0.25f, on ? 0.0f : 0.5f, 0.75f}, none{1, 0, 0};
            check_rule<float>(rule, defined, count, nesterov, on ? plain : none, !on, false);
            check_rule<float>(rule, defined, count, nesterov, group, on, false);
            check_rule<Bf16>(rule, defined, count, nesterov, on ? group : plain, on, false);
            check_rule<float>(rule, defined, count, nesterov, on ? plain : group, on, true);
        }
    }
}

} // namespace

TEST(LionIsItsDefinition) { check_all("lion", lion); }

TEST(SgdIsItsDefinition) { check_all("sgd", sgd); }
