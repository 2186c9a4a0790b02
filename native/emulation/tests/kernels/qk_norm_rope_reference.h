// The definition of kernels/qk_norm_rope.cu in float64, forward and back, a token's heads at a time.
#pragma once

#include "kernel_test.h"

namespace
{

const float Eps = 1e-6f;
const double Theta = 500000;

enum class Norm { None, Heads, HeadsAfterRotation, Rows, HeadsCentred, HeadsAndValues };

const Norm AllNorms[] = {Norm::None, Norm::Heads, Norm::HeadsAfterRotation, Norm::Rows, Norm::HeadsCentred,
    Norm::HeadsAndValues};

struct Shape
{
    int rows;
    int heads;
    int kv_heads;
    int head_dim;
    Norm norm;
    int row_offset;
    int unturned = 0; // pairs at the end that do not turn
    float factor = 1;
    float weight_offset = 0;
    double query_beta = 0;
    int original_length = 0;
    int sets = 0; // of frequencies, by documents' lengths: token t has set t % sets, of base^(set + 1) in place of base

    int queries() const { return heads * head_dim; }
    int kv() const { return kv_heads * head_dim; }
    bool keys_are_values = false;
    bool norms_values() const { return norm == Norm::HeadsAndValues; }
    int value_heads() const { return keys_are_values ? 0 : kv_heads; }
    int width() const { return queries() + kv() + value_heads() * head_dim; }
    bool has_norm() const { return norm != Norm::None; }
    bool has_own_weights() const { return norm == Norm::Rows || norm == Norm::HeadsCentred; }
    int normed_heads(bool query) const { return !has_own_weights() ? 1 : query ? heads : kv_heads; }
    int weights(bool query) const { return normed_heads(query) * head_dim; }
};

std::string name_of(const Shape& s)
{
    return std::to_string(s.rows) + " rows of " + std::to_string(s.heads) + " + 2 x " + std::to_string(s.kv_heads) + " heads of " +
           std::to_string(s.head_dim);
}

// Documents begin here and there in the window.
std::vector<int> first_keys(const Shape& shape)
{
    std::vector<int> keys(shape.rows);
    for (int t = 0; t < shape.rows; t++)
    {
        keys[t] = t < 5 ? 0 : t < 11 ? shape.row_offset + 5 : shape.row_offset / 2 + 3;
    }

    return keys;
}

template <typename T> struct Inputs
{
    explicit Inputs(const Shape& shape)
    {
        Numbers numbers(shape.head_dim);
        qkv = numbers.many<T>(static_cast<size_t>(shape.rows) * shape.width(), 2);
        dq = numbers.many<T>(static_cast<size_t>(shape.rows) * shape.queries());
        dkv = numbers.many<float>(static_cast<size_t>(shape.rows) * 2 * shape.kv());
        q_norm = numbers.many<T>(shape.weights(true), 2);
        k_norm = numbers.many<T>(shape.weights(false), 2);
        first_key = first_keys(shape);
    }

    std::vector<T> qkv, dq, q_norm, k_norm;
    std::vector<float> dkv;
    std::vector<int> first_key;
};

// The rotation of pair i at row t, in long double.
void angle(const Shape& shape, const std::vector<int>& first_key, int t, int i, double& cosine, double& sine)
{
    if (i >= shape.head_dim / 2 - shape.unturned)
    {
        cosine = 1;
        sine = 0;
        return;
    }

    const int powers = shape.sets == 0 ? 1 : t % shape.sets + 1;
    const long double turn =
        (shape.row_offset + t - first_key[t]) * std::pow(static_cast<long double>(Theta), -2.0L * powers * i / shape.head_dim);
    cosine = shape.factor * static_cast<double>(std::cos(turn));
    sine = shape.factor * static_cast<double>(std::sin(turn));
}

double query_scale(const Shape& shape, int position)
{
    return shape.query_beta == 0 ? 1 : 1 + shape.query_beta * std::log(1.0 + position / shape.original_length);
}

// Numbers of the heads of a token that are normed together, with the size of what each is made of.
struct Sized
{
    std::vector<double> value, size;
};

// Pairs turned, backwards with direction -1.
Sized turned(const Shape& shape, const std::vector<int>& first_key, int t, const Sized& from, int direction)
{
    Sized to = from;
    const size_t half = shape.head_dim / 2;
    for (size_t at = 0; at < from.value.size(); at++)
    {
        const size_t i = at % shape.head_dim, pair = i % half, other = i < half ? at + half : at - half;
        double c, s;
        angle(shape, first_key, t, static_cast<int>(pair), c, s);
        to.value[at] = from.value[at] * c + (i < half ? -direction : direction) * from.value[other] * s;
        to.size[at] = (from.size[at] + from.size[other]) * shape.factor;
    }

    return to;
}

template <typename T> Sized part(const std::vector<T>& all, size_t at, size_t count)
{
    Sized some;
    for (size_t i = at; i < at + count; i++)
    {
        some.value.push_back(to_float(all[i]));
        some.size.push_back(std::fabs(some.value.back()));
    }

    return some;
}

void multiply(Sized& numbers, double factor)
{
    for (size_t i = 0; i < numbers.value.size(); i++)
    {
        numbers.value[i] *= factor;
        numbers.size[i] *= std::fabs(factor);
    }
}

template <typename T> double weight_of(const Shape& shape, const std::vector<T>& norm, size_t i)
{
    return static_cast<double>(to_float(norm[i])) + shape.weight_offset;
}

// Some numbers that are normed together, less their mean where that is taken off, and 1 / sqrt(mean square + eps) of these.
struct Moments
{
    Moments(const Shape& shape, const Sized& x, size_t first, size_t count)
    {
        double mean = 0, mean_size = 0, squares = 0;
        for (size_t i = first; i < first + count && shape.norm == Norm::HeadsCentred; i++)
        {
            mean += x.value[i] / static_cast<double>(count);
            mean_size += x.size[i] / static_cast<double>(count);
        }

        for (size_t i = first; i < first + count; i++)
        {
            centred.push_back(x.value[i] - mean);
            size.push_back(x.size[i] + mean_size);
            squares += centred.back() * centred.back();
        }

        rstd = 1 / std::sqrt(squares / static_cast<double>(count) + Eps);
    }

    std::vector<double> centred, size;
    double rstd;
};

size_t together(const Shape& shape, const Sized& x)
{
    return shape.norm == Norm::HeadsCentred ? shape.head_dim : x.value.size();
}

// What `from` becomes.
template <typename T> Sized forward_of(const Shape& shape, const Inputs<T>& in, int t, bool query, const Sized& from)
{
    const std::vector<T>& norm = query ? in.q_norm : in.k_norm;
    Sized x = shape.norm == Norm::HeadsAfterRotation ? turned(shape, in.first_key, t, from, 1) : from;
    const size_t count = together(shape, x);
    for (size_t first = 0; shape.has_norm() && first < x.value.size(); first += count)
    {
        const Moments of(shape, x, first, count);
        for (size_t i = first; i < first + count; i++)
        {
            x.value[i] = of.centred[i - first] * of.rstd * weight_of(shape, norm, i);
            x.size[i] = of.size[i - first] * of.rstd * std::fabs(weight_of(shape, norm, i));
        }
    }

    x = shape.norm == Norm::HeadsAfterRotation ? x : turned(shape, in.first_key, t, x, 1);
    multiply(x, query ? query_scale(shape, shape.row_offset + t - in.first_key[t]) : 1);
    return x;
}

// The gradient of `from`, given that of what it becomes; `sums`: the gradient of the weights grows.
template <typename T>
Sized backward_of(const Shape& shape, const Inputs<T>& in, int t, bool query, const Sized& from, Sized g, Sized& sums)
{
    const std::vector<T>& norm = query ? in.q_norm : in.k_norm;
    const bool after = shape.norm == Norm::HeadsAfterRotation;
    multiply(g, query ? query_scale(shape, shape.row_offset + t - in.first_key[t]) : 1);
    const Sized x = after ? turned(shape, in.first_key, t, from, 1) : from;
    g = after ? g : turned(shape, in.first_key, t, g, -1);
    const size_t count = together(shape, x);
    for (size_t first = 0; shape.has_norm() && first < x.value.size(); first += count)
    {
        // Means of g w n and, where means are taken off, of g w.
        const Moments of(shape, x, first, count);
        double mean = 0, mean_size = 0, shift = 0, shift_size = 0;
        for (size_t i = first; i < first + count; i++)
        {
            const double n = of.centred[i - first] * of.rstd, size = of.size[i - first] * of.rstd, w = weight_of(shape, norm, i);
            sums.value[i] += g.value[i] * n;
            sums.size[i] += g.size[i] * size;
            mean += g.value[i] * w * n / static_cast<double>(count);
            mean_size += g.size[i] * std::fabs(w) * size / static_cast<double>(count);
            shift += shape.norm == Norm::HeadsCentred ? g.value[i] * w / static_cast<double>(count) : 0;
            shift_size += shape.norm == Norm::HeadsCentred ? g.size[i] * std::fabs(w) / static_cast<double>(count) : 0;
        }

        for (size_t i = first; i < first + count; i++)
        {
            const double w = weight_of(shape, norm, i);
            g.value[i] = of.rstd * (g.value[i] * w - shift - of.centred[i - first] * of.rstd * mean);
            g.size[i] = of.rstd * (g.size[i] * std::fabs(w) + shift_size + of.size[i - first] * of.rstd * mean_size);
        }
    }

    return after ? turned(shape, in.first_key, t, g, -1) : g;
}

// A value head normed by itself.
Sized normed_value(const Sized& x)
{
    double squares = 0;
    for (double value : x.value)
    {
        squares += value * value;
    }

    Sized y = x;
    multiply(y, 1 / std::sqrt(squares / static_cast<double>(x.value.size()) + Eps));
    return y;
}

// What comes back through the value head at an element of row t's values.
template <typename T> Sized value_gradient(const Shape& shape, const Inputs<T>& in, int t, int at)
{
    const size_t values = static_cast<size_t>(t) * shape.width() + shape.queries() + shape.value_heads() * shape.head_dim;
    const Sized x = part(in.qkv, values + at, shape.head_dim), n = normed_value(x);
    Sized g = part(in.dkv, static_cast<size_t>(t) * 2 * shape.kv() + shape.kv() + at, shape.head_dim);
    double squares = 0, mean = 0, mean_size = 0;
    const double count = shape.head_dim;
    for (int i = 0; i < shape.head_dim; i++)
    {
        squares += x.value[i] * x.value[i];
        mean += g.value[i] * n.value[i] / count;
        mean_size += g.size[i] * n.size[i] / count;
    }

    const double rstd = 1 / std::sqrt(squares / count + Eps);
    for (int i = 0; i < shape.head_dim; i++)
    {
        g.value[i] = rstd * (g.value[i] - n.value[i] * mean);
        g.size[i] = rstd * (g.size[i] + n.size[i] * mean_size);
    }

    return g;
}

void add(Sized& to, const Sized& other)
{
    for (size_t i = 0; i < to.value.size(); i++)
    {
        to.value[i] += other.value[i];
        to.size[i] += other.size[i];
    }
}

} // namespace
