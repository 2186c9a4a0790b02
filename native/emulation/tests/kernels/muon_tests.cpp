// muon.cu against its definitions in float64: momentum and its sum of squares, division by the norm, weights; wherever a matrix begins.
#include "kernel_test.h"

namespace
{

StepBlock step_block(float nesterov)
{
    StepBlock block = {};
    block.learning_rate = 0.01f;
    block.weight_decay = 0.25f;
    block.momentum = 0.875f;
    block.nesterov = nesterov;
    block.clip_norm = 1;
    block.step = 3;
    block.seed = 11;
    return block;
}

// Numbers that begin `before` elements behind a multiple of 16 bytes.
template <typename T> std::vector<T> shifted(const std::vector<T>& values, int before)
{
    std::vector<T> all(before, rounded<T>(7));
    all.insert(all.end(), values.begin(), values.end());
    return all;
}

template <typename T> std::vector<T> behind(const std::vector<T>& all, int before)
{
    for (int i = 0; i < before; i++)
    {
        check(to_float(all[i]) == 7, "what lies before the matrix was written");
    }

    return {all.begin() + before, all.end()};
}

// Where random bits choose between two neighbours: within a step of bf16 instead of half of one.
template <typename T> void check_stored(T got, double expected, double scale, bool stochastic, const std::string& where)
{
    check_close(got, expected, scale + (stochastic ? std::fabs(expected) * 0x1p+14 : 0), 4, where);
}

template <typename G, typename M, typename U> void check_momentum(const std::string& recipe, int count, int before, bool on)
{
    const bool stochastic = recipe == "bf16_sr";
    Numbers numbers(count + before);
    const std::vector<G> gradient = numbers.many<G>(count, 0.1f);
    const std::vector<M> old = numbers.many<M>(count, 0.05f);
    const StepBlock block = step_block(on ? 1 : 0);
    Array<StepBlock> step(std::vector<StepBlock>{block});
    Array<double> norms(std::vector<double>{9, 7});
    const int within = stochastic ? before % 8 : 0;
    const uint32_t grid = divided_up(count + within, 2048);
    Array<G> g(shifted(gradient, before));
    Array<M> m(shifted(old, before));
    Array<U> u(count);
    Array<double> partials(grid), total(1);
    const auto momentum = kernel("muon", "muon_momentum_" + recipe);
    const G* from = g.device() + before;
    if (stochastic)
    {
        momentum.run({grid}, {256}, 0, from, m.device() + before, u.device(), partials.device(),
            static_cast<const double*>(on ? norms.device() : nullptr), static_cast<const StepBlock*>(step.device()),
            static_cast<int64_t>(count), on ? 2 : 0, 3, static_cast<int64_t>(before));
    }
    else
    {
        momentum.run({grid}, {256}, 0, from, m.device() + before, u.device(), partials.device(),
            static_cast<const double*>(on ? norms.device() : nullptr), static_cast<const StepBlock*>(step.device()),
            static_cast<int64_t>(count), on ? 2 : 0);
    }

    kernel("squared_sum", "squared_sum_total").run({1}, {256}, 0, partials.device(), total.device(), static_cast<int>(grid));
    const std::vector<M> moments = behind(m.host(), before);
    const std::vector<U> updates = u.host();
    const double clip = on ? 1 / (4 + 1e-6) : 1;
    long double squares = 0;
    for (int i = 0; i < count; i++)
    {
        const double slope = to_float(gradient[i]) * clip, moment = 0.875 * to_float(old[i]) + 0.125 * slope;
        check_stored(moments[i], moment, 0.2, stochastic, "m, " + recipe);
        check_close(updates[i], on ? 0.125 * slope + 0.875 * moment : moment, 0.2, 4, "u, " + recipe);
        squares += static_cast<long double>(to_float(updates[i])) * to_float(updates[i]);
    }

    check(std::fabs(total.host()[0] - squares) <= 1e-14 * squares, "the sum of squares is not that of what is stored");
}

template <typename T> void check_normalize(int count, float size)
{
    const std::vector<T> values = Numbers(count).many<T>(count, size);
    double squares = 0;
    for (T value : values)
    {
        squares += static_cast<double>(to_float(value)) * to_float(value);
    }

    Array<T> x(values);
    Array<double> norm(std::vector<double>{squares});
    kernel("muon", std::string("muon_normalize_") + Type<T>::Name)
        .run({divided_up(count, 2048)}, {256}, 0, x.device(), static_cast<const double*>(norm.device()), static_cast<int64_t>(count));
    const std::vector<T> result = x.host();
    for (int i = 0; i < count; i++)
    {
        const double expected = to_float(values[i]) / std::fmax(std::sqrt(squares), 1e-7);
        check_close(result[i], expected, std::fabs(expected), 2, "x");
    }
}

// T: of what the update adds to; X: of the direction.
template <typename T, typename X> void check_apply(const std::string& recipe, int count, int before)
{
    const bool stochastic = recipe == "bf16_sr", master = recipe == "bf16_master";
    Numbers numbers(count + before);
    const std::vector<T> old = numbers.many<T>(count);
    const std::vector<X> direction = numbers.many<X>(count, 0.3f);
    const StepBlock block = step_block(0);
    Array<StepBlock> step(std::vector<StepBlock>{block});
    Array<T> w(shifted(old, before));
    Array<X> x(direction);
    Array<Bf16> copy(shifted(std::vector<Bf16>(count), before));
    const uint32_t grid = divided_up(count + (stochastic ? before % 8 : 0), 2048);
    const auto apply = kernel("muon", "muon_apply_" + recipe);
    constexpr const double* kNoNorms = nullptr;
    const X* along = x.device();
    const StepBlock* by = step.device();
    if (master)
    {
        apply.run({grid}, {256}, 0, w.device() + before, along, copy.device() + before, by, 2.0f, 0.5f, 0.25f, 0.125f, kNoNorms, 0,
            static_cast<int64_t>(count));
    }
    else if (stochastic)
    {
        apply.run({grid}, {256}, 0, w.device() + before, along, by, 2.0f, 0.5f, 0.25f, 0.125f, kNoNorms, 0, static_cast<int64_t>(count), 3,
            static_cast<int64_t>(before));
    }
    else
    {
        apply.run({grid}, {256}, 0, w.device() + before, along, by, 2.0f, 0.5f, 0.25f, 0.125f, kNoNorms, 0, static_cast<int64_t>(count));
    }

    const double rate = static_cast<double>(block.learning_rate) * 0.5, decay = 0.25 * 0.25 + 0.125;
    const std::vector<T> moved = behind(w.host(), before);
    const std::vector<Bf16> copied = behind(copy.host(), before);
    for (int i = 0; i < count; i++)
    {
        const double expected = to_float(old[i]) * (1 - rate * decay) - rate * 2 * to_float(direction[i]);
        check_stored(moved[i], expected, 1.1, stochastic, "w, " + recipe);
        check(!master || copied[i] == rounded<Bf16>(to_float(moved[i])), "the working copy is not the rounded master");
    }
}

} // namespace

TEST(MuonsMomentumIsItsDefinition)
{
    for (int count : {1, 8, 1043, 4104})
    {
        for (int before : {0, 8, 13})
        {
            const bool on = (count + before) % 2 == 0;
            check_momentum<float, float, float>("f32", count, before, on);
            check_momentum<Bf16, Bf16, Bf16>("bf16", count, before, !on);
            check_momentum<float, Bf16, Bf16>("bf16_sr", count, before, on);
            check_momentum<float, float, Bf16>("bf16_master", count, before, !on);
        }
    }
}

TEST(MuonDividesByTheNormOrByTheLeastThereIs)
{
    for (int count : {1, 8, 1043, 4104})
    {
        for (float size : {1.0f, 1e-12f, 1e12f})
        {
            check_normalize<float>(count, size);
            check_normalize<Bf16>(count, size);
        }
    }
}

TEST(MuonMovesWeightsAlongTheDirection)
{
    for (int count : {1, 8, 1043, 4104})
    {
        for (int before : {0, 8, 13})
        {
            check_apply<float, float>("f32", count, before);
            check_apply<Bf16, Bf16>("bf16", count, before);
            check_apply<Bf16, Bf16>("bf16_sr", count, before);
            check_apply<float, Bf16>("bf16_master", count, before);
        }
    }
}
