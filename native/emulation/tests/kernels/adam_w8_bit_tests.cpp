// adam_w8_bit.cu: moments, codes and scales by their definition in fp32, to the bit; weights in float64 from these moments.
#include <algorithm>

#include "kernel_test.h"

namespace
{

constexpr int Block = 256;

float border(int i, int count)
{
    const float step = (1.0f - 0.1f) / static_cast<float>(count);
    return 2 * i < count ? std::fma(step, static_cast<float>(i), 0.1f) : std::fma(-step, static_cast<float>(count - i), 1.0f);
}

std::vector<float> values(bool is_signed)
{
    std::vector<float> all = {0, 1};
    const float powers[] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1};
    for (int decade = 0; decade < 7; decade++)
    {
        const int count = (is_signed ? 1 : 2) << decade;
        for (int i = 0; i < count; i++)
        {
            const float value = powers[decade] * ((border(i, count) + border(i + 1, count)) / 2);
            all.push_back(value);
            if (is_signed)
            {
                all.push_back(-value);
            }
        }
    }

    std::sort(all.begin(), all.end());
    check(all.size() == 256, "a map has 256 values");
    return all;
}

uint8_t code_of(float x, const std::vector<float>& map)
{
    int code = 0;
    for (int step = 128; step > 0; step /= 2)
    {
        code += x >= map[code + step] ? step : 0;
    }

    const int next = std::min(code + 1, 255);
    return static_cast<uint8_t>(x - map[code] >= (map[next] - map[code]) * 0.5f ? next : code);
}

// Moments as they are stored.
struct Stored
{
    std::vector<uint8_t> codes;
    std::vector<float> scales;

    float at(size_t i, const std::vector<float>& map) const
    {
        const volatile float value = map[codes[i]] * scales[i / Block];
        return value;
    }
};

Stored stored(const std::vector<float>& moments, const std::vector<float>& map)
{
    Stored result = {std::vector<uint8_t>(moments.size()), std::vector<float>(moments.size() / Block)};
    for (size_t b = 0; b < result.scales.size(); b++)
    {
        float most = 1e-12f;
        for (size_t i = b * Block; i < (b + 1) * Block; i++)
        {
            most = std::max(most, std::fabs(moments[i]));
        }

        result.scales[b] = most;
        for (size_t i = b * Block; i < (b + 1) * Block; i++)
        {
            result.codes[i] = code_of(moments[i] / most, map);
        }
    }

    return result;
}

enum class Recipe
{
    Plain,
    Stochastic,
    Master
};

// What a launch leaves.
template <typename W> struct Result
{
    std::vector<W> w;
    std::vector<Bf16> copy;
    Stored m, v;
};

StepBlock step_block()
{
    StepBlock block = {};
    block.learning_rate = 2e-3f;
    block.weight_decay = 0.1f;
    block.epsilon = 1e-8f;
    block.clip_norm = 1;
    block.step = 3;
    block.seed = 0x123456789abcdefull;
    block.one_minus_beta1 = 0.1f;
    block.one_minus_beta2 = 0.05f;
    block.bias_correction1 = static_cast<float>(1 - std::pow(0.9, 3));
    block.bias_correction2 = static_cast<float>(1 - std::pow(0.95, 3));
    return block;
}

constexpr float RateFactor = 0.5f, DecayFactor = 2, OwnDecay = 0.25f;

template <typename W, typename G> Result<W> launch(const std::vector<W>& old_w, const std::vector<G>& gradient, const Stored& old_m,
    const Stored& old_v, Recipe recipe, bool clips, uint64_t seed)
{
    const auto count = static_cast<int64_t>(old_w.size());
    Array<StepBlock> block(std::vector<StepBlock>{step_block()});
    Array<double> norms(std::vector<double>{9, 7});
    Array<W> w(old_w);
    Array<G> g(gradient);
    Array<uint8_t> m(old_m.codes), v(old_v.codes);
    Array<float> m_scales(old_m.scales), v_scales(old_v.scales);
    Array<Bf16> copy(old_w.size());
    const double* norm_pointer = clips ? norms.device() : nullptr;
    const int norm_count = clips ? 2 : 0;
    const auto grid = divided_up(count, 8192);
    const auto update = kernel("adam_w8_bit",
        std::string("adam_w8_bit_") + (recipe == Recipe::Master       ? "bf16_master"
                                       : recipe == Recipe::Stochastic ? "bf16_sr"
                                                                      : Type<W>::Name),
        seed);
    const auto run = [&](auto... rest) {
        update.run({grid}, {256}, 0, w.device(), static_cast<const G*>(g.device()), m.device(), m_scales.device(), v.device(),
            v_scales.device(), rest...);
    };
    const StepBlock* step = block.device();
    if (recipe == Recipe::Master)
    {
        run(copy.device(), norm_pointer, step, count, norm_count, RateFactor, DecayFactor, OwnDecay);
    }
    else if (recipe == Recipe::Stochastic)
    {
        run(norm_pointer, step, count, norm_count, RateFactor, DecayFactor, OwnDecay, 5, int64_t{1024});
    }
    else
    {
        run(norm_pointer, step, count, norm_count, RateFactor, DecayFactor, OwnDecay);
    }

    const bool has_copy = recipe == Recipe::Master;
    return {w.host(), has_copy ? copy.host() : std::vector<Bf16>(), {m.host(), m_scales.host()}, {v.host(), v_scales.host()}};
}

template <typename W, typename G> void check_recipe(int count, Recipe recipe, bool clips)
{
    Numbers numbers(count);
    const std::vector<float> m_map = values(true), v_map = values(false);
    const std::vector<W> w = numbers.many<W>(count);
    std::vector<G> g = numbers.many<G>(count, 0.1f);
    std::vector<float> first = numbers.many<float>(count, 0.05f), second = numbers.many<float>(count, 0.01f);
    for (int i = 0; i < count; i++)
    {
        second[i] = std::fabs(second[i]);
        if (i < Block)
        {
            // A block that no token ever named.
            first[i] = second[i] = 0;
            g[i] = rounded<G>(0);
        }
    }

    const Stored old_m = stored(first, m_map), old_v = stored(second, v_map);
    const StepBlock s = step_block();
    const float clip = clips ? static_cast<float>(1 / (4 + 1e-6)) : 1;
    std::vector<double> expected(count);
    for (int i = 0; i < count; i++)
    {
        const volatile float gradient = to_float(g[i]) * clip, square = gradient * gradient;
        const float m = old_m.at(i, m_map), v = old_v.at(i, v_map);
        first[i] = std::fma(s.one_minus_beta1, gradient - m, m);
        second[i] = std::fma(s.one_minus_beta2, square - v, v);
        const double rate = static_cast<double>(s.learning_rate) * RateFactor, decay = s.weight_decay * DecayFactor + OwnDecay;
        const double root = std::sqrt(static_cast<double>(second[i])) / std::sqrt(static_cast<double>(s.bias_correction2));
        expected[i] = to_float(w[i]) * (1 - rate * decay) - rate / s.bias_correction1 * first[i] / (root + s.epsilon);
    }

    const Stored new_m = stored(first, m_map), new_v = stored(second, v_map);
    const Result<W> one = launch(w, g, old_m, old_v, recipe, clips, 1), other = launch(w, g, old_m, old_v, recipe, clips, 2);
    check_same(one.m.codes, new_m.codes, "codes of m");
    check_same(one.v.codes, new_v.codes, "codes of v");
    check_same(one.m.scales, new_m.scales, "scales of m");
    check_same(one.v.scales, new_v.scales, "scales of v");
    check_same(one.w, other.w, "weights of two orders");
    check_same(one.m.codes, other.m.codes, "codes of two orders");
    for (int i = 0; i < count; i++)
    {
        if (recipe == Recipe::Stochastic)
        {
            const double step = std::ldexp(1.0, std::ilogb(expected[i]) - 7);
            check(std::fabs(to_float(one.w[i]) - expected[i]) <= step * 1.001, "a weight is no neighbour of what it should be");
        }
        else
        {
            check_close(one.w[i], expected[i], std::fabs(to_float(w[i])) + 0.01, 8, "w");
            check(recipe != Recipe::Master || one.copy[i] == rounded<Bf16>(to_float(one.w[i])), "the copy is not the rounded master");
        }
    }
}

} // namespace

TEST(AdamWWith8BitMomentsIsItsDefinition)
{
    for (int count : {256, 8192, 8192 + 3 * 256})
    {
        check_recipe<float, float>(count, Recipe::Plain, count == 8192);
        check_recipe<Bf16, Bf16>(count, Recipe::Plain, count != 8192);
        check_recipe<Bf16, float>(count, Recipe::Stochastic, count == 8192);
        check_recipe<float, float>(count, Recipe::Master, count != 8192);
    }
}
