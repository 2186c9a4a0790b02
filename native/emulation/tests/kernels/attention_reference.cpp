#include "attention_reference.h"

#include <cmath>
#include <cstring>
#include <random>

#include "test.h"

std::vector<int32_t> AttentionShape::first_key() const
{
    std::vector<int32_t> first(tokens);
    size_t document = 0;
    for (int i = 0; i < tokens; i++)
    {
        while (document + 1 < documents.size() && documents[document + 1] <= row_offset + i)
        {
            document++;
        }

        first[i] = window == 0 ? documents[document] : std::max(documents[document], row_offset + i + 1 - window);
    }

    return first;
}

std::string AttentionShape::name() const
{
    return "T " + std::to_string(tokens) + ", row offset " + std::to_string(row_offset) + ", heads " + std::to_string(heads) + "/" +
        std::to_string(kv_heads) + " of " + std::to_string(head_dim) + ", documents " + std::to_string(documents.size()) +
        ", scale " + std::to_string(scale()) + capped() + (window == 0 ? "" : ", attention window " + std::to_string(window));
}

uint16_t to_bf16(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bf16(uint16_t bits)
{
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
}

namespace
{

double dot(const double* a, const double* b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
    {
        sum += a[i] * b[i];
    }

    return sum;
}

void add(double* to, double factor, const double* from, int count)
{
    for (int i = 0; i < count; i++)
    {
        to[i] += factor * from[i];
    }
}

std::vector<double> normal(size_t count, bool bf16, std::mt19937_64& random)
{
    std::normal_distribution<float> distribution;
    std::vector<double> values(count);
    for (double& value : values)
    {
        const float single = distribution(random);
        value = bf16 ? from_bf16(to_bf16(single)) : single;
    }

    return values;
}

// |values - expected| / |expected|, which is NaN where a value is.
double relative_error(const std::vector<float>& values, const std::vector<double>& expected)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < expected.size(); i++)
    {
        error += (values[i] - expected[i]) * (values[i] - expected[i]);
        size += expected[i] * expected[i];
    }

    // Of one token alone dq and dk are zero.
    const double count = static_cast<double>(expected.size());
    return values.size() == expected.size() ? std::sqrt(error / (size < 1e-20 * count ? count : size)) : NAN;
}

void check_error(const std::string& what, const std::vector<float>& values, const std::vector<double>& expected, double limit)
{
    const double error = relative_error(values, expected);
    char text[64];
    std::snprintf(text, sizeof(text), " is off by %.2e, more than %.1e", error, limit);
    check(error < limit, what + text);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

} // namespace

bool AttentionResult::operator==(const AttentionResult& other) const
{
    return same_bits(o, other.o) && same_bits(lse, other.lse) && same_bits(dq, other.dq) && same_bits(dkv, other.dkv);
}

void check_attention(const std::string& what, const AttentionResult& result, const AttentionTensors& expected, const AttentionShape& shape,
    const AttentionLimits& limits)
{
    std::vector<float> gradients[2];
    std::vector<double> expected_gradients[2];
    for (size_t i = 0; i < result.dkv.size(); i++)
    {
        const int half = static_cast<int>(i) % shape.kv_columns() >= shape.kv_columns() / 2;
        gradients[half].push_back(result.dkv[i]);
        expected_gradients[half].push_back(expected.dkv[i]);
    }

    check_error(what + ": o", result.o, expected.o, limits.o);
    check_error(what + ": lse", result.lse, expected.lse, limits.lse);
    check_error(what + ": dq", result.dq, expected.dq, limits.dq);
    check_error(what + ": dk", gradients[0], expected_gradients[0], limits.dk);
    check_error(what + ": dv", gradients[1], expected_gradients[1], limits.dv);
}

std::vector<float> floats(const std::vector<uint16_t>& values)
{
    std::vector<float> result;
    for (const uint16_t value : values)
    {
        result.push_back(from_bf16(value));
    }

    return result;
}

AttentionTensors attention_reference(const AttentionShape& shape, bool bf16, uint64_t seed)
{
    std::mt19937_64 random(seed);
    const int hd = shape.head_dim;
    const size_t q_count = static_cast<size_t>(shape.tokens) * shape.q_columns(),
                 kv_count = static_cast<size_t>(shape.rows()) * shape.kv_columns();
    AttentionTensors t;
    t.q = normal(q_count, bf16, random);
    t.kv = normal(kv_count, bf16, random);
    t.output_gradient = normal(q_count, bf16, random);
    t.o.resize(q_count);
    t.dq.resize(q_count);
    t.dkv.resize(kv_count);
    t.lse.resize(static_cast<size_t>(shape.heads) * shape.tokens);
    const std::vector<int32_t> first_key = shape.first_key();
    const double cap = shape.softcap;
    const double scale = shape.multiplier != 0 || cap != 0 ? shape.scale() : 1 / std::sqrt(static_cast<double>(hd));
    const auto score_of = [&](double product) { return cap == 0 ? product * scale : cap * std::tanh(product * scale / cap); };
    std::vector<double> p(shape.rows());
    for (int head = 0; head < shape.heads; head++)
    {
        const int key_column = head / (shape.heads / shape.kv_heads) * hd, value_column = key_column + shape.kv_heads * hd;
        for (int token = 0; token < shape.tokens; token++)
        {
            const size_t at = static_cast<size_t>(token) * shape.q_columns() + head * hd;
            const int first = first_key[token], last = shape.row_offset + token;
            const auto row = [&](int key) { return static_cast<size_t>(key) * shape.kv_columns(); };
            double most = -INFINITY, sum = 0;
            for (int key = first; key <= last; key++)
            {
                p[key] = score_of(dot(&t.q[at], &t.kv[row(key) + key_column], hd));
                most = std::max(most, p[key]);
            }

            for (int key = first; key <= last; key++)
            {
                sum += p[key] = std::exp(p[key] - most);
            }

            t.lse[static_cast<size_t>(head) * shape.tokens + token] = most + std::log(sum);
            for (int key = first; key <= last; key++)
            {
                p[key] /= sum;
                add(&t.o[at], p[key], &t.kv[row(key) + value_column], hd);
            }

            const double delta = dot(&t.output_gradient[at], &t.o[at], hd);
            for (int key = first; key <= last; key++)
            {
                const double ratio = cap == 0 ? 0 : score_of(dot(&t.q[at], &t.kv[row(key) + key_column], hd)) / cap;
                const double slope =
                    p[key] * (dot(&t.output_gradient[at], &t.kv[row(key) + value_column], hd) - delta) * scale * (1 - ratio * ratio);
                add(&t.dkv[row(key) + value_column], p[key], &t.output_gradient[at], hd);
                add(&t.dkv[row(key) + key_column], slope, &t.q[at], hd);
                add(&t.dq[at], slope, &t.kv[row(key) + key_column], hd);
            }
        }
    }

    return t;
}
