#include "kernel_test.h"

namespace
{

const float Eps = 1e-6f;
const double Theta = 500000;

struct Shape
{
    int rows;
    int heads;
    int kv_heads;
    int head_dim;
    bool norm;
    int row_offset;
    int unturned = 0; // pairs at the end that do not turn
    float factor = 1;

    int queries() const { return heads * head_dim; }
    int kv() const { return kv_heads * head_dim; }
    int width() const { return queries() + 2 * kv(); }
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
        q_norm = numbers.many<T>(shape.head_dim, 2);
        k_norm = numbers.many<T>(shape.head_dim, 2);
        first_key = first_keys(shape);
    }

    std::vector<T> qkv, dq, q_norm, k_norm;
    std::vector<float> dkv;
    std::vector<int> first_key;
};

template <typename T> std::string entry(const char* pass, const Shape& shape)
{
    return std::string(shape.norm ? "qk_norm_rope_" : "rope_") + pass + "_" + Type<T>::Name +
        (shape.head_dim / 2 % PackCount<T> == 0 ? "" : "_unaligned");
}

// As kernels/qk_norm_rope.cu has it.
struct Rotary
{
    double frequencies[128];
    float factor;
};

Rotary rotary(const Shape& shape)
{
    Rotary made = {};
    for (int i = 0; i < shape.head_dim / 2 - shape.unturned; i++)
    {
        made.frequencies[i] = std::pow(Theta, -2.0 * i / shape.head_dim);
    }

    made.factor = shape.factor;
    return made;
}

// The rotation of pair i at row t, in long double.
void angle(const Shape& shape, const std::vector<int>& first_key, int t, int i, double& cosine, double& sine)
{
    if (i >= shape.head_dim / 2 - shape.unturned)
    {
        cosine = 1;
        sine = 0;
        return;
    }

    const long double turn = (shape.row_offset + t - first_key[t]) * std::pow(static_cast<long double>(Theta), -2.0L * i / shape.head_dim);
    cosine = shape.factor * static_cast<double>(std::cos(turn));
    sine = shape.factor * static_cast<double>(std::sin(turn));
}

template <typename T> double rstd_of(const std::vector<T>& qkv, size_t at, int head_dim)
{
    double sum = 0;
    for (int i = 0; i < head_dim; i++)
    {
        sum += std::pow(to_float(qkv[at + i]), 2.0);
    }

    return 1 / std::sqrt(sum / head_dim + Eps);
}

enum class Outputs { Both, QueriesOnly, KvOnly };

template <typename T> void check_forward(const Shape& shape, Outputs outputs)
{
    const Inputs<T> in(shape);
    Array<T> qkv(in.qkv), q_norm(in.q_norm), k_norm(in.k_norm), q(in.dq.size()), kv(in.dkv.size());
    Array<int> first_key(in.first_key);
    T* to_q = outputs == Outputs::KvOnly ? nullptr : q.device();
    T* to_kv = outputs == Outputs::QueriesOnly ? nullptr : kv.device();
    const auto forward = kernel("qk_norm_rope", entry<T>("forward", shape));
    const uint32_t grid = divided_up(shape.rows, 16), shared = 68 * shape.head_dim;
    if (shape.norm)
    {
        forward.run({grid}, {256}, shared, qkv.device(), first_key.device(), q_norm.device(), k_norm.device(), to_q, to_kv,
            rotary(shape), Eps, shape.rows, shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim);
    }
    else
    {
        forward.run({grid}, {256}, shared, qkv.device(), first_key.device(), to_q, to_kv, rotary(shape), shape.rows, shape.row_offset,
            shape.heads, shape.kv_heads, shape.head_dim);
    }

    const std::vector<T> queries = to_q != nullptr ? q.host() : std::vector<T>(), keys = to_kv != nullptr ? kv.host() : std::vector<T>();
    const int half = shape.head_dim / 2;
    for (int t = 0; t < shape.rows; t++)
    {
        for (int h = 0; h < shape.heads + shape.kv_heads; h++)
        {
            const bool query = h < shape.heads;
            if (outputs == (query ? Outputs::KvOnly : Outputs::QueriesOnly))
            {
                continue;
            }

            const size_t from = static_cast<size_t>(t) * shape.width() + static_cast<size_t>(h) * shape.head_dim;
            const T* to = query ? &queries[static_cast<size_t>(t) * shape.queries() + h * shape.head_dim]
                                : &keys[static_cast<size_t>(t) * 2 * shape.kv() + (h - shape.heads) * shape.head_dim];
            const std::vector<T>& norm = query ? in.q_norm : in.k_norm;
            const double scale = shape.norm ? rstd_of(in.qkv, from, shape.head_dim) : 1;
            for (int i = 0; i < half; i++)
            {
                double c, s;
                angle(shape, in.first_key, t, i, c, s);
                const double x1 = to_float(in.qkv[from + i]) * scale * (shape.norm ? to_float(norm[i]) : 1);
                const double x2 = to_float(in.qkv[from + half + i]) * scale * (shape.norm ? to_float(norm[half + i]) : 1);
                const double size = std::fabs(x1) + std::fabs(x2);
                check_close(to[i], x1 * c - x2 * s, size, 8, "first half, " + name_of(shape));
                check_close(to[half + i], x2 * c + x1 * s, size, 8, "second half, " + name_of(shape));
            }
        }

        for (int i = 0; i < shape.kv() && outputs != Outputs::QueriesOnly; i++)
        {
            check(to_float(keys[static_cast<size_t>(t) * 2 * shape.kv() + shape.kv() + i]) ==
                      to_float(in.qkv[static_cast<size_t>(t) * shape.width() + shape.queries() + shape.kv() + i]),
                "values differ, " + name_of(shape));
        }
    }
}

template <typename T> void check_backward(const Shape& shape, uint64_t seed = 1, std::vector<float>* sums = nullptr)
{
    const Inputs<T> in(shape);
    const uint32_t grid = divided_up(shape.rows, 16);
    uint32_t lanes = 1;
    while (lanes * PackCount<T> < static_cast<uint32_t>(shape.head_dim) / 2)
    {
        lanes *= 2;
    }

    Array<T> dq(in.dq), qkv(in.qkv), q_norm(in.q_norm), k_norm(in.k_norm), dqkv(in.qkv.size());
    Array<float> dkv(in.dkv), q_partials(grid * shape.head_dim), k_partials(grid * shape.head_dim);
    Array<int> first_key(in.first_key);
    const auto backward = kernel("qk_norm_rope", entry<T>("backward", shape), seed);
    if (shape.norm)
    {
        backward.run({grid}, {256}, 68 * shape.head_dim + 1024 * shape.head_dim / lanes, dq.device(), dkv.device(), first_key.device(),
            qkv.device(), q_norm.device(), k_norm.device(), dqkv.device(), q_partials.device(), k_partials.device(), rotary(shape), Eps,
            shape.rows, shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim);
    }
    else
    {
        backward.run({grid}, {256}, 68 * shape.head_dim, dq.device(), dkv.device(), first_key.device(), dqkv.device(), rotary(shape),
            shape.rows, shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim);
    }

    const std::vector<T> result = dqkv.host();
    const int half = shape.head_dim / 2;
    std::vector<double> expected_sums(2 * shape.head_dim), sizes(2 * shape.head_dim);
    for (int t = 0; t < shape.rows; t++)
    {
        for (int h = 0; h < shape.heads + shape.kv_heads; h++)
        {
            const bool query = h < shape.heads;
            const size_t at = static_cast<size_t>(t) * shape.width() + static_cast<size_t>(h) * shape.head_dim;
            const auto gradient = [&](int i) -> double {
                return query ? to_float(in.dq[static_cast<size_t>(t) * shape.queries() + h * shape.head_dim + i])
                             : in.dkv[static_cast<size_t>(t) * 2 * shape.kv() + (h - shape.heads) * shape.head_dim + i];
            };
            const std::vector<T>& norm = query ? in.q_norm : in.k_norm;
            const double scale = shape.norm ? rstd_of(in.qkv, at, shape.head_dim) : 1;
            std::vector<double> g(shape.head_dim), size(shape.head_dim);
            double mean = 0, mean_size = 0;
            for (int i = 0; i < half; i++)
            {
                double c, s;
                angle(shape, in.first_key, t, i, c, s);
                g[i] = gradient(i) * c + gradient(half + i) * s;
                g[half + i] = gradient(half + i) * c - gradient(i) * s;
                size[i] = size[half + i] = std::fabs(gradient(i)) + std::fabs(gradient(half + i));
            }

            for (int i = 0; i < shape.head_dim && shape.norm; i++)
            {
                const double n = to_float(in.qkv[at + i]) * scale;
                expected_sums[(query ? 0 : shape.head_dim) + i] += g[i] * n;
                sizes[(query ? 0 : shape.head_dim) + i] += size[i] * std::fabs(n);
                mean += g[i] * to_float(norm[i]) * n / shape.head_dim;
                mean_size += size[i] * std::fabs(to_float(norm[i]) * n) / shape.head_dim;
            }

            for (int i = 0; i < shape.head_dim; i++)
            {
                const double n = to_float(in.qkv[at + i]) * scale, w = shape.norm ? to_float(norm[i]) : 1;
                const double expected = shape.norm ? scale * (g[i] * w - n * mean) : g[i];
                const double magnitude = shape.norm ? scale * (size[i] * std::fabs(w) + std::fabs(n) * mean_size) : size[i];
                check_close(result[at + i], expected, magnitude, 16, "dqkv, " + name_of(shape));
            }
        }

        for (int i = 0; i < shape.kv(); i++)
        {
            check_close(result[static_cast<size_t>(t) * shape.width() + shape.queries() + shape.kv() + i],
                in.dkv[static_cast<size_t>(t) * 2 * shape.kv() + shape.kv() + i], 0, 0, "dv, " + name_of(shape));
        }
    }

    if (!shape.norm)
    {
        return;
    }

    std::vector<float> partials = q_partials.host();
    const std::vector<float> of_keys = k_partials.host();
    partials.insert(partials.end(), of_keys.begin(), of_keys.end());
    for (int i = 0; i < 2 * shape.head_dim; i++)
    {
        double sum = 0;
        for (uint32_t block = 0; block < grid; block++)
        {
            sum += partials[(i / shape.head_dim * grid + block) * shape.head_dim + i % shape.head_dim];
        }

        check_close(static_cast<float>(sum), expected_sums[i], sizes[i], 8, "weight gradient, " + name_of(shape));
    }

    if (sums != nullptr)
    {
        *sums = partials;
    }
}

const bool Norms[] = {false, true};

} // namespace

TEST(QkNormRopeForwardIsItsDefinition)
{
    for (bool norm : Norms)
    {
        for (int head_dim : {8, 16, 64, 72, 80, 128, 248, 256})
        {
            check_forward<float>({19, 3, 1, head_dim, norm, 40}, Outputs::Both);
            check_forward<Bf16>({19, 3, 1, head_dim, norm, 40}, Outputs::Both);
        }

        check_forward<float>({5, 2, 2, 12, norm, 0}, Outputs::Both);
        check_forward<Bf16>({1, 40, 8, 128, norm, 0}, Outputs::Both);
    }
}

TEST(QkNormRopeForwardSkipsWhatNobodyWants)
{
    for (bool norm : Norms)
    {
        check_forward<Bf16>({17, 4, 2, 64, norm, 40}, Outputs::QueriesOnly);
        check_forward<float>({17, 4, 2, 64, norm, 40}, Outputs::KvOnly);
    }
}

TEST(QkNormRopeIsRightAtPositionsOfAMillion)
{
    for (int row_offset : {65536, 1048575, 4000000})
    {
        check_forward<float>({19, 2, 1, 64, false, row_offset}, Outputs::Both);
        check_backward<float>({19, 2, 1, 128, true, row_offset});
    }
}

TEST(QkNormRopeTurnsWhatTheTableSaysByItsFactor)
{
    for (bool norm : Norms)
    {
        check_forward<float>({19, 3, 1, 64, norm, 40, 24, 1.25f}, Outputs::Both);
        check_backward<float>({19, 3, 1, 64, norm, 40, 24, 1.25f});
        check_forward<Bf16>({5, 2, 2, 72, norm, 40, 9, 0.75f}, Outputs::Both);
        check_backward<Bf16>({5, 2, 2, 72, norm, 40, 9, 0.75f});
    }
}

TEST(QkNormRopeBackwardIsItsDefinition)
{
    for (bool norm : Norms)
    {
        for (int head_dim : {8, 16, 64, 72, 80, 128, 248, 256})
        {
            check_backward<float>({19, 3, 1, head_dim, norm, 40});
            check_backward<Bf16>({19, 3, 1, head_dim, norm, 40});
        }

        check_backward<float>({5, 2, 2, 12, norm, 0});
        check_backward<Bf16>({33, 40, 8, 128, norm, 0});
    }
}

TEST(QkNormRopeBackwardDoesNotDependOnTheOrderOfThreads)
{
    std::vector<float> first, second;
    check_backward<Bf16>({19, 8, 2, 64, true, 40}, 11, &first);
    check_backward<Bf16>({19, 8, 2, 64, true, 40}, 12, &second);
    check_same(first, second, "weight gradients");
}
