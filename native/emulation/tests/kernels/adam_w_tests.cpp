#include "kernel_test.h"

namespace
{

StepBlock step_block(int step)
{
    StepBlock block = {};
    block.learning_rate = 1e-3f;
    block.weight_decay = 0.1f;
    block.epsilon = 1e-8f;
    block.clip_norm = INFINITY;
    block.step = step;
    block.beta1 = 0.9f;
    block.beta2 = 0.999f;
    block.one_minus_beta1 = 0.1f;
    block.one_minus_beta2 = 0.001f;
    block.bias_correction1 = static_cast<float>(1 - std::pow(0.9, step));
    block.bias_correction2 = static_cast<float>(1 - std::pow(0.999, step));
    return block;
}

struct State
{
    double w, m, v;
};

// What a group of parameters makes of the step's learning rate and weight decay.
struct Factors
{
    float rate, decay, own_decay;
};

const Factors Plain{1, 1, 0}, NoDecay{1, 0, 0}, Group{0.25f, 0.5f, 0.3f};

// The definition in float64, betas as they are written.
State updated(double w, double g, double m, double v, const StepBlock& s, double clip, const Factors& f)
{
    const double rate = static_cast<double>(s.learning_rate) * f.rate;
    g *= clip;
    m += 0.1 * (g - m);
    v = 0.999 * v + 0.001 * g * g;
    w *= 1 - rate * (static_cast<double>(s.weight_decay) * f.decay + f.own_decay);
    w -= rate / (1 - std::pow(0.9, s.step)) * m / (std::sqrt(v) / std::sqrt(1 - std::pow(0.999, s.step)) + s.epsilon);
    return {w, m, v};
}

template <typename W, typename G, typename M> struct Inputs
{
    explicit Inputs(int count, uint64_t seed = 3)
    {
        Numbers numbers(seed);
        w = numbers.many<W>(count);
        g = numbers.many<G>(count, 0.1f);
        m = numbers.many<M>(count, 0.05f);
        v = numbers.many<M>(count, 0.01f);
        for (M& value : v)
        {
            value = rounded<M>(std::fabs(to_float(value)));
        }

        // An embedding row that no token ever named, and one that a token names for the first time.
        for (int i = 0; i < 8; i++)
        {
            m[i] = v[i] = rounded<M>(0);
            g[i] = rounded<G>(i < 4 ? 0 : 1e-3f);
        }
    }

    std::vector<W> w;
    std::vector<G> g;
    std::vector<M> m, v;
};

template <typename W, typename M> void check_state(
    const std::vector<W>& w, const std::vector<M>& m, const std::vector<M>& v, size_t i, const State& expected, const std::string& what)
{
    check_close(w[i], expected.w, std::fabs(expected.w) + 1e-2, 8, "w, " + what);
    check_close(m[i], expected.m, 0.1, 4, "m, " + what);
    check_close(v[i], expected.v, expected.v + 1e-5, 4, "v, " + what);
}

// Elements from a first moment to its second: moments lie at equal distances.
template <typename M> int64_t stride(const Array<M>& m, const Array<M>& v)
{
    return (reinterpret_cast<intptr_t>(v.device()) - reinterpret_cast<intptr_t>(m.device())) / static_cast<int64_t>(sizeof(M));
}

struct Clipping
{
    float norm;
    std::vector<double> squares;
};

// bf16-master keeps the weights themselves in fp32; `copy` is what it writes for the kernels.
template <typename T> void check_recipe(int count, int step, const Clipping* clipping, const Factors& factors, bool master)
{
    const Inputs<T, T, T> in(count);
    StepBlock block = step_block(step);
    double clip = 1;
    Array<double> norms(clipping != nullptr ? clipping->squares : std::vector<double>{0});
    if (clipping != nullptr)
    {
        block.clip_norm = clipping->norm;
        double sum = 0;
        for (double square : clipping->squares)
        {
            sum += square;
        }

        clip = std::fmin(1, block.clip_norm / (std::sqrt(sum) + 1e-6));
    }

    Array<StepBlock> device_block(std::vector<StepBlock>{block});
    Array<T> w(in.w), g(in.g), m(in.m), v(in.v);
    Array<Bf16> copy(count);
    const double* norm_pointer = clipping != nullptr ? norms.device() : nullptr;
    const int norm_count = clipping != nullptr ? static_cast<int>(clipping->squares.size()) : 0;
    const uint32_t grid = divided_up(count, sizeof(T) == 4 && !master ? 1024 : 2048);
    const std::string name = master ? "bf16_master" : Type<T>::Name;
    const auto update = kernel("adam_w", "adam_w_" + name);
    if (master)
    {
        update.run({grid}, {256}, 0, w.device(), static_cast<const T*>(g.device()), m.device(), stride(m, v), copy.device(), norm_pointer,
            device_block.device(), static_cast<int64_t>(count), norm_count, factors.rate, factors.decay, factors.own_decay);
    }
    else
    {
        update.run({grid}, {256}, 0, w.device(), static_cast<const T*>(g.device()), m.device(), stride(m, v), norm_pointer,
            device_block.device(), static_cast<int64_t>(count), norm_count, factors.rate, factors.decay, factors.own_decay);
    }

    const std::vector<T> new_w = w.host(), new_m = m.host(), new_v = v.host();
    const std::vector<Bf16> new_copy = master ? copy.host() : std::vector<Bf16>(count);
    for (int i = 0; i < count; i++)
    {
        const State expected = updated(to_float(in.w[i]), to_float(in.g[i]), to_float(in.m[i]), to_float(in.v[i]), block, clip, factors);
        check_state(new_w, new_m, new_v, i, expected, name + " of " + std::to_string(count));
        check(!master || new_copy[i] == rounded<Bf16>(to_float(new_w[i])), "the working copy is not the rounded master");
    }
}

// Philox4x32-10 as its paper gives it.
struct Words
{
    uint32_t v[4];
};

Words philox(Words counter, uint64_t key)
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

uint16_t stochastic(float value, const StepBlock& step, int64_t element, uint32_t object, uint32_t which)
{
    const Words words = philox({{static_cast<uint32_t>(element / 8), static_cast<uint32_t>(element / 8 >> 32),
                                   static_cast<uint32_t>(step.step), object * 4 + which}},
        step.seed);
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return static_cast<uint16_t>((bits + (words.v[element % 8 / 2] >> element % 2 * 16 & 0xffff)) >> 16);
}

using Stochastic = Inputs<Bf16, float, Bf16>;

// Runs the pieces that begin at `cuts` one after the other.
Stochastic run_stochastic(const Stochastic& in, StepBlock step, int object, const std::vector<int64_t>& cuts, int64_t first = 0)
{
    const int64_t count = static_cast<int64_t>(in.w.size());
    Array<Bf16> w(in.w), m(in.m), v(in.v);
    Array<float> g(in.g);
    Array<StepBlock> block(std::vector<StepBlock>{step});
    for (size_t i = 0; i < cuts.size(); i++)
    {
        const int64_t begin = cuts[i], here = (i + 1 < cuts.size() ? cuts[i + 1] : count) - begin;
        kernel("adam_w", "adam_w_bf16_sr")
            .run({divided_up(here, 2048)}, {256}, 0, w.device() + begin, static_cast<const float*>(g.device() + begin), m.device() + begin,
                stride(m, v), static_cast<const double*>(nullptr), block.device(), here, 0, 1.0f, 1.0f, 0.0f, object, first + begin);
    }

    Stochastic result = in;
    result.w = w.host();
    result.m = m.host();
    result.v = v.host();
    return result;
}

} // namespace

TEST(AdamWIsItsDefinition)
{
    for (int step : {1, 2, 1000})
    {
        for (int count : {4, 2052, 1043, 42})
        {
            check_recipe<float>(count + 4, step, nullptr, step == 2 ? Group : Plain, false);
        }

        for (int count : {8, 4104, 42, 2051})
        {
            check_recipe<Bf16>(count, step, nullptr, step == 2 ? Plain : step == 1 ? NoDecay : Group, false);
            check_recipe<float>(count, step, nullptr, step == 2 ? Group : Plain, true);
        }
    }
}

TEST(AdamWClipsByTheNormOfAllObjects)
{
    const Clipping clipped{0.5f, std::vector<double>(300, 0.01)}, free{2.0f, {0.25, 0.5, 0.25}};
    for (const Clipping* clipping : {&clipped, &free})
    {
        check_recipe<float>(1024, 3, clipping, Plain, false);
        check_recipe<Bf16>(1024, 3, clipping, Plain, false);
        check_recipe<float>(1024, 3, clipping, Plain, true);
    }
}

TEST(AdamWLeavesAllAsItIsWhereTheNormIsNotFinite)
{
    StepBlock block = step_block(1);
    block.clip_norm = 1;
    for (double square : {static_cast<double>(NAN), static_cast<double>(INFINITY)})
    {
        Array<StepBlock> device_block(std::vector<StepBlock>{block});
        Array<double> norms(std::vector<double>{1.0, square});
        Array<float> w(std::vector<float>(4, 1.0f)), g(std::vector<float>(4, 1.0f)), m(std::vector<float>(4, 2.0f)),
            v(std::vector<float>(4, 3.0f));
        kernel("adam_w", "adam_w_f32").run({1}, {256}, 0, w.device(), static_cast<const float*>(g.device()), m.device(), stride(m, v),
            static_cast<const double*>(norms.device()), device_block.device(), int64_t{4}, 2, 1.0f, 1.0f, 0.0f);
        check(w.host()[0] == 1 && m.host()[1] == 2 && v.host()[3] == 3, "a value was replaced");
    }
}

TEST(StochasticRoundingUsesPhiloxAsPublished)
{
    const Words zero = philox({{0, 0, 0, 0}}, 0), ones = philox({{~0u, ~0u, ~0u, ~0u}}, ~uint64_t{0});
    check(
        zero.v[0] == 0x6627e8d5 && zero.v[1] == 0xe169c58d && zero.v[2] == 0xbc57ac4c && zero.v[3] == 0x9b00dbd8, "the words for 0 differ");
    check(ones.v[0] == 0x408f276d && ones.v[1] == 0x41c83b0e && ones.v[2] == 0xa20bc7c6 && ones.v[3] == 0x6d5451fd,
        "the words for ~0 differ");

    // With these betas m becomes g and v becomes g^2, exactly, before they are rounded.
    Stochastic in(4099);
    StepBlock step = step_block(17);
    step.seed = 0x123456789abcdef0;
    step.one_minus_beta1 = 1;
    step.beta2 = 0;
    step.one_minus_beta2 = 1;
    in.m.assign(in.m.size(), Bf16{0});
    const int64_t first = (int64_t{1} << 36) + 800;
    const Stochastic result = run_stochastic(in, step, 5, {0}, first);
    for (size_t i = 0; i < in.g.size(); i++)
    {
        const float g = in.g[i];
        check(result.m[i].bits == stochastic(g, step, first + i, 5, 1), "m " + std::to_string(i) + " is rounded otherwise");
        check(result.v[i].bits == stochastic(g * g, step, first + i, 5, 2), "v " + std::to_string(i) + " is rounded otherwise");
    }
}

TEST(StochasticRoundingDoesNotDependOnHowTensorsAreCut)
{
    const Stochastic in(6003);
    StepBlock step = step_block(4);
    step.seed = 99;
    const Stochastic whole = run_stochastic(in, step, 2, {0}), cut = run_stochastic(in, step, 2, {0, 8, 2048, 2064, 5992});
    check_same(whole.w, cut.w, "weights");
    check_same(whole.m, cut.m, "first moments");
    check_same(whole.v, cut.v, "second moments");
}

TEST(StochasticRoundingIsUnbiasedAndAlwaysToANeighbour)
{
    const int count = 60000;
    Stochastic in(count);
    for (int i = 0; i < count; i++)
    {
        in.w[i] = rounded<Bf16>(i % 2 == 0 ? 1.0f : -1.0f);
        in.g[i] = 0.01f;
        in.m[i] = rounded<Bf16>(0.01f);
        in.v[i] = rounded<Bf16>(1e-4f);
    }

    StepBlock step = step_block(1000);
    std::vector<Stochastic> results;
    for (uint64_t seed : {1, 2})
    {
        step.seed = seed;
        results.push_back(run_stochastic(in, step, 0, {0}));
        const Stochastic& result = results.back();
        double w[2] = {0, 0}, m = 0, v = 0;
        const State expected[2] = {updated(1, 0.01f, to_float(in.m[0]), to_float(in.v[0]), step, 1, Plain),
            updated(-1, 0.01f, to_float(in.m[0]), to_float(in.v[0]), step, 1, Plain)};
        for (int i = 0; i < count; i++)
        {
            check(std::fabs(to_float(result.w[i]) - expected[i % 2].w) <= 0x1p-7, "a weight is no neighbour");
            check(std::fabs(to_float(result.m[i]) - expected[0].m) <= 0x1p-14, "a first moment is no neighbour");
            check(std::fabs(to_float(result.v[i]) - expected[0].v) <= 0x1p-21, "a second moment is no neighbour");
            w[i % 2] += to_float(result.w[i]) / (count / 2);
            m += to_float(result.m[i]) / count;
            v += to_float(result.v[i]) / count;
        }

        // Five standard deviations of a mean of that many roundings, each of which is off by at most half an ulp's worth of deviation.
        const double deviations = 5 * 0.5 / std::sqrt(count / 2);
        check(std::fabs(w[0] - expected[0].w) < deviations * 0x1p-8,
            "positive weights are biased by " + std::to_string(w[0] - expected[0].w));
        check(std::fabs(w[1] - expected[1].w) < deviations * 0x1p-7,
            "negative weights are biased by " + std::to_string(w[1] - expected[1].w));
        check(std::fabs(m - expected[0].m) < deviations * 0x1p-14, "first moments are biased");
        check(std::fabs(v - expected[0].v) < deviations * 0x1p-21, "second moments are biased");
    }

    check(std::memcmp(results[0].w.data(), results[1].w.data(), count * sizeof(Bf16)) != 0, "the seed does not matter");
    step.step++;
    check(
        std::memcmp(run_stochastic(in, step, 0, {0}).m.data(), results[1].m.data(), count * sizeof(Bf16)) != 0, "the step does not matter");
    step.step--;
    check(std::memcmp(run_stochastic(in, step, 1, {0}).m.data(), results[1].m.data(), count * sizeof(Bf16)) != 0,
        "the object does not matter");
}
