#include "qk_norm_rope_reference.h"

namespace
{

// fp32 heads of which a thread has runs of eight elements.
template <typename T> bool is_wide(const Shape& shape) { return sizeof(T) == 4 && shape.head_dim > 256; }

template <typename T> std::string entry(const char* pass, const Shape& shape)
{
    const char* names[] = {"rope_", "qk_norm_rope_", "rope_qk_norm_", "qk_row_norm_rope_", "qk_layer_norm_rope_", "qkv_norm_rope_"};
    const char* variant = is_wide<T>(shape) ? "_wide" : shape.head_dim / 2 % PackCount<T> == 0 ? "" : "_unaligned";
    return std::string(names[static_cast<int>(shape.norm)]) + pass + "_" + Type<T>::Name + variant;
}

// As kernels/qk_norm_rope_turns.cuh has it.
struct Rotary
{
    double frequencies[256];
    double query_beta;
    float factor;
    int original_length;
    const int* set;
    const double* sets;
};

// Which set each token has, and the sets; without any, frequencies alone.
struct Lengths
{
    explicit Lengths(const Shape& shape)
    {
        for (int t = 0; t < shape.rows; t++)
        {
            of_tokens.push_back(shape.sets == 0 ? 0 : t % shape.sets);
        }

        for (int s = 0; s < shape.sets; s++)
        {
            for (int i = 0; i < shape.head_dim / 2; i++)
            {
                const bool turns = i < shape.head_dim / 2 - shape.unturned;
                frequencies.push_back(turns ? std::pow(Theta, -2.0 * (s + 1) * i / shape.head_dim) : 0);
            }
        }

        frequencies.resize(std::max<size_t>(1, frequencies.size()));
    }

    std::vector<int> of_tokens;
    std::vector<double> frequencies;
};

Rotary rotary(const Shape& shape, const Array<int>& set, const Array<double>& sets)
{
    Rotary made = {};
    if (shape.sets > 0)
    {
        made.set = set.device();
        made.sets = sets.device();
    }

    for (int i = 0; i < shape.head_dim / 2 - shape.unturned; i++)
    {
        made.frequencies[i] = std::pow(Theta, -2.0 * i / shape.head_dim);
    }

    made.factor = shape.factor;
    made.query_beta = shape.query_beta;
    made.original_length = shape.original_length;
    return made;
}

enum class Outputs { Both, QueriesOnly, KvOnly };

template <typename T> void check_forward(const Shape& shape, Outputs outputs)
{
    const Inputs<T> in(shape);
    const bool alone = shape.kv_heads == 0;
    Array<T> qkv(in.qkv), q_norm(in.q_norm), k_norm(alone ? std::vector<T>(1) : in.k_norm), q(in.dq.size()), kv(in.dkv.size() + alone);
    const Lengths lengths(shape);
    Array<int> first_key(in.first_key), set(lengths.of_tokens);
    Array<double> sets(lengths.frequencies);
    T* to_q = outputs == Outputs::KvOnly ? nullptr : q.device();
    T* to_kv = alone || outputs == Outputs::QueriesOnly ? nullptr : kv.device();
    const auto forward = kernel("qk_norm_rope", entry<T>("forward", shape));
    const uint32_t grid = divided_up(shape.rows, 16), shared = 68 * shape.head_dim + 192;
    if (shape.has_norm())
    {
        forward.run({grid}, {256}, shared, qkv.device(), first_key.device(), q_norm.device(),
            alone ? nullptr : k_norm.device(), to_q, to_kv, rotary(shape, set, sets), Eps, shape.weight_offset, shape.rows,
            shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim, shape.value_heads());
    }
    else
    {
        forward.run({grid}, {256}, shared, qkv.device(), first_key.device(), to_q, to_kv, rotary(shape, set, sets), shape.rows,
            shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim);
    }

    const std::vector<T> queries = to_q != nullptr ? q.host() : std::vector<T>(), keys = to_kv != nullptr ? kv.host() : std::vector<T>();
    for (int t = 0; t < shape.rows; t++)
    {
        const size_t row = static_cast<size_t>(t) * shape.width();
        for (bool query : {true, false})
        {
            const int width = shape.weights(query), count = query ? shape.queries() : shape.kv();
            for (int at = 0; at < count && outputs != (query ? Outputs::KvOnly : Outputs::QueriesOnly); at += width)
            {
                const Sized y = forward_of(shape, in, t, query, part(in.qkv, row + (query ? 0 : shape.queries()) + at, width));
                const T* to = query ? &queries[static_cast<size_t>(t) * count + at] : &keys[static_cast<size_t>(t) * 2 * count + at];
                for (int i = 0; i < width; i++)
                {
                    check_close(to[i], y.value[i], y.size[i], 12, name_of(shape));
                }
            }
        }

        const size_t values = row + shape.queries() + shape.value_heads() * shape.head_dim;
        for (int at = 0; at < shape.kv() && outputs != Outputs::QueriesOnly && shape.norms_values(); at += shape.head_dim)
        {
            const Sized y = normed_value(part(in.qkv, values + at, shape.head_dim));
            const T* to = &keys[static_cast<size_t>(t) * 2 * shape.kv() + shape.kv() + at];
            for (int i = 0; i < shape.head_dim; i++)
            {
                check_close(to[i], y.value[i], y.size[i], 12, name_of(shape));
            }
        }

        for (int i = 0; i < shape.kv() && outputs != Outputs::QueriesOnly && !shape.norms_values(); i++)
        {
            check(to_float(keys[static_cast<size_t>(t) * 2 * shape.kv() + shape.kv() + i]) ==
                      to_float(in.qkv[row + shape.queries() + shape.kv() + i]),
                "values differ, " + name_of(shape));
        }
    }
}

template <typename T> void check_backward(const Shape& shape, uint64_t seed = 1, std::vector<float>* sums = nullptr)
{
    const Inputs<T> in(shape);
    const uint32_t grid = divided_up(shape.rows, 16);
    uint32_t lanes = 1;
    const uint32_t run = is_wide<T>(shape) ? 8 : PackCount<T>;
    while (lanes * run < static_cast<uint32_t>(shape.head_dim) / 2)
    {
        lanes *= 2;
    }

    const int q_weights = shape.weights(true), k_weights = shape.weights(false);
    const bool alone = shape.kv_heads == 0;
    Array<T> dq(in.dq), qkv(in.qkv), q_norm(in.q_norm), k_norm(alone ? std::vector<T>(1) : in.k_norm), dqkv(in.qkv.size());
    Array<float> dkv(alone ? std::vector<float>(1) : in.dkv), q_partials(grid * q_weights), k_partials(alone ? 1 : grid * k_weights);
    const float* from_dkv = alone ? nullptr : dkv.device();
    float* to_k_partials = alone ? nullptr : k_partials.device();
    const Lengths lengths(shape);
    Array<int> first_key(in.first_key), set(lengths.of_tokens);
    Array<double> sets(lengths.frequencies);
    const auto backward = kernel("qk_norm_rope", entry<T>("backward", shape), seed);
    const uint32_t shared = 68 * shape.head_dim + 192, groups = shape.has_own_weights() ? 0 : 1024 * shape.head_dim / lanes;
    if (shape.has_norm())
    {
        backward.run({grid}, {256}, shared + groups, dq.device(), from_dkv, first_key.device(), qkv.device(), q_norm.device(),
            alone ? nullptr : k_norm.device(), dqkv.device(), q_partials.device(), to_k_partials,
            rotary(shape, set, sets), Eps, shape.weight_offset,
            shape.rows, shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim, shape.value_heads());
    }
    else
    {
        backward.run({grid}, {256}, shared, dq.device(), from_dkv, first_key.device(), dqkv.device(), rotary(shape, set, sets),
            shape.rows, shape.row_offset, shape.heads, shape.kv_heads, shape.head_dim);
    }

    const std::vector<T> result = dqkv.host();
    Sized expected[2];
    for (bool query : {true, false})
    {
        expected[query].value.resize(shape.weights(query));
        expected[query].size.resize(shape.weights(query));
    }

    for (int t = 0; t < shape.rows; t++)
    {
        const size_t row = static_cast<size_t>(t) * shape.width();
        for (bool query : {true, false})
        {
            const int width = shape.weights(query), count = query ? shape.queries() : shape.kv();
            for (int at = 0; at < count; at += width)
            {
                const size_t place = row + (query ? 0 : shape.queries()) + at;
                const Sized g = query ? part(in.dq, static_cast<size_t>(t) * count + at, width)
                                         : part(in.dkv, static_cast<size_t>(t) * 2 * count + at, width);
                Sized dx = backward_of(shape, in, t, query, part(in.qkv, place, width), g, expected[query]);
                if (!query && shape.keys_are_values)
                {
                    add(dx, value_gradient(shape, in, t, at));
                }

                for (int i = 0; i < width; i++)
                {
                    check_close(result[place + i], dx.value[i], dx.size[i], 16, "dqkv, " + name_of(shape));
                }
            }
        }

        for (int at = 0; at < shape.kv() && shape.norms_values() && !shape.keys_are_values; at += shape.head_dim)
        {
            const Sized dx = value_gradient(shape, in, t, at);
            for (int i = 0; i < shape.head_dim; i++)
            {
                check_close(result[row + shape.queries() + shape.kv() + at + i], dx.value[i], dx.size[i], 16, "dv, " + name_of(shape));
            }
        }

        for (int i = 0; i < shape.kv() && !shape.norms_values(); i++)
        {
            check_close(result[row + shape.queries() + shape.kv() + i],
                in.dkv[static_cast<size_t>(t) * 2 * shape.kv() + shape.kv() + i], 0, 0, "dv, " + name_of(shape));
        }
    }

    if (!shape.has_norm())
    {
        return;
    }

    const std::vector<float> of_queries = q_partials.host(), of_keys = alone ? std::vector<float>() : k_partials.host();
    for (bool query : {true, false})
    {
        const std::vector<float>& partials = query ? of_queries : of_keys;
        for (int i = 0; i < shape.weights(query) && (query || !alone); i++)
        {
            double sum = 0;
            for (uint32_t block = 0; block < grid; block++)
            {
                sum += partials[block * shape.weights(query) + i];
            }

            const Sized& of = expected[query];
            check_close(static_cast<float>(sum), of.value[i], of.size[i], 12, "weight gradient, " + name_of(shape));
        }
    }

    if (sums != nullptr)
    {
        *sums = of_queries;
        sums->insert(sums->end(), of_keys.begin(), of_keys.end());
    }
}

} // namespace

TEST(QkNormRopeForwardIsItsDefinition)
{
    for (Norm norm : AllNorms)
    {
        for (int head_dim : {8, 16, 64, 72, 80, 128, 248, 256, 260, 512})
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
    for (Norm norm : AllNorms)
    {
        check_forward<Bf16>({17, 4, 2, 64, norm, 40}, Outputs::QueriesOnly);
        check_forward<float>({17, 4, 2, 64, norm, 40}, Outputs::KvOnly);
    }
}

TEST(QkNormRopeOfQueriesAloneTouchesNoKeys)
{
    for (Norm norm : AllNorms)
    {
        check_forward<float>({19, 3, 0, 64, norm, 40}, Outputs::Both);
        check_backward<float>({19, 3, 0, 64, norm, 40});
        check_forward<Bf16>({33, 2, 0, 72, norm, 7}, Outputs::Both);
        check_backward<Bf16>({33, 2, 0, 72, norm, 7});
        check_backward<float>({5, 2, 0, 12, norm, 0});
    }
}

TEST(QkNormRopeOfKeysThatAreValuesAddsWhatComesBackThroughBoth)
{
    for (int head_dim : {8, 12, 64, 72, 256, 260, 512})
    {
        Shape shape = {19, 4, 2, head_dim, Norm::HeadsAndValues, 40};
        shape.keys_are_values = true;
        check_forward<float>(shape, Outputs::Both);
        check_backward<float>(shape);
        check_forward<Bf16>(shape, Outputs::Both);
        check_backward<Bf16>(shape);
    }
}

TEST(QkNormRopeIsRightAtPositionsOfAMillion)
{
    for (int row_offset : {65536, 1048575, 4000000})
    {
        check_forward<float>({19, 2, 1, 64, Norm::None, row_offset}, Outputs::Both);
        check_backward<float>({19, 2, 1, 128, Norm::Heads, row_offset});
    }
}

TEST(QkNormRopeTurnsWhatTheTableSaysByItsFactor)
{
    for (Norm norm : AllNorms)
    {
        check_forward<float>({19, 3, 1, 64, norm, 40, 24, 1.25f}, Outputs::Both);
        check_backward<float>({19, 3, 1, 64, norm, 40, 24, 1.25f});
        check_forward<Bf16>({5, 2, 2, 72, norm, 40, 9, 0.75f}, Outputs::Both);
        check_backward<Bf16>({5, 2, 2, 72, norm, 40, 9, 0.75f});
    }
}

TEST(QkNormRopeBackwardIsItsDefinition)
{
    for (Norm norm : AllNorms)
    {
        for (int head_dim : {8, 16, 64, 72, 80, 128, 248, 256, 260, 512})
        {
            check_backward<float>({19, 3, 1, head_dim, norm, 40});
            check_backward<Bf16>({19, 3, 1, head_dim, norm, 40});
        }

        check_backward<float>({5, 2, 2, 12, norm, 0});
        check_backward<Bf16>({33, 40, 8, 128, norm, 0});
    }
}

TEST(QkNormRopeAddsToWeightsAndScalesQueriesByPosition)
{
    for (Norm norm : AllNorms)
    {
        Shape shape = {19, 3, 1, 64, norm, 40};
        shape.weight_offset = 1;
        shape.query_beta = 0.1;
        shape.original_length = 8;
        check_forward<float>(shape, Outputs::Both);
        check_backward<float>(shape);
        check_forward<Bf16>(shape, Outputs::Both);
        check_backward<Bf16>(shape);
        shape.head_dim = 72;
        check_forward<Bf16>(shape, Outputs::Both);
        check_backward<Bf16>(shape);
        shape.head_dim = 12;
        check_forward<float>(shape, Outputs::Both);
        check_backward<float>(shape);
    }
}

TEST(QkNormRopeTurnsTokensByTheFrequenciesOfTheirDocuments)
{
    for (Norm norm : AllNorms)
    {
        for (int head_dim : {12, 64})
        {
            Shape shape = {19, 3, 1, head_dim, norm, 40, 2, 1.25f};
            shape.sets = 3;
            check_forward<float>(shape, Outputs::Both);
            check_backward<float>(shape);
        }
    }
}

TEST(QkNormRopeBackwardDoesNotDependOnTheOrderOfThreads)
{
    for (Norm norm : {Norm::Heads, Norm::HeadsAfterRotation, Norm::Rows})
    {
        std::vector<float> first, second;
        check_backward<Bf16>({19, 8, 2, 64, norm, 40}, 11, &first);
        check_backward<Bf16>({19, 8, 2, 64, norm, 40}, 12, &second);
        check_same(first, second, "weight gradients");
    }
}
