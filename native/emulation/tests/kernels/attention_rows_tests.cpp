// attention_rows.cu: tokens in any order, each at its own row of the window, have what they have in a chunk (the float64 definition).
#include "attention_reference.h"
#include "kernel_test.h"

namespace
{

template <typename T> void check_rows(const AttentionShape& shape, double limit)
{
    const AttentionTensors tensors = attention_reference(shape, sizeof(T) == 2, 5);
    const std::vector<int32_t> first_keys = shape.first_key();
    const int columns = shape.q_columns();

    // Every other token, from the last to the first.
    std::vector<int32_t> firsts, rows;
    std::vector<T> queries;
    std::vector<double> expected;
    const std::vector<T> q = stored<T>(tensors.q);
    for (int t = shape.tokens - 1; t >= 0; t -= 2)
    {
        firsts.push_back(first_keys[t]);
        rows.push_back(shape.row_offset + t);
        queries.insert(queries.end(), q.begin() + t * columns, q.begin() + (t + 1) * columns);
        expected.insert(expected.end(), tensors.o.begin() + t * columns, tensors.o.begin() + (t + 1) * columns);
    }

    const int tokens = static_cast<int>(rows.size());
    emulation::Array<T> from(queries), kv(stored<T>(tensors.kv)), o(queries.size());
    emulation::Array<int32_t> first(firsts), row(rows);
    emulation::Array<float> lse(static_cast<size_t>(shape.heads) * tokens);
    kernel("attention_rows", std::string("attention_rows_") + (shape.head_dim > 256 ? "wide_" : "") + (sizeof(T) == 2 ? "bf16" : "f32"))
        .run({static_cast<uint32_t>(tokens * shape.heads)}, {256}, 0, from.device(), kv.device(), first.device(), row.device(), o.device(),
            lse.device(), tokens, shape.heads, shape.kv_heads, shape.head_dim, shape.scale(), shape.softcap);

    double difference = 0, norm = 0;
    const std::vector<float> got = floats(o.host());
    for (size_t i = 0; i < expected.size(); i++)
    {
        difference += (got[i] - expected[i]) * (got[i] - expected[i]);
        norm += expected[i] * expected[i];
    }

    check(std::sqrt(difference / norm) <= limit, shape.name() + ": off by " + std::to_string(std::sqrt(difference / norm)));
    const std::vector<float> sums = lse.host();
    for (int h = 0; h < shape.heads; h++)
    {
        for (int i = 0; i < tokens; i++)
        {
            const double want = tensors.lse[static_cast<size_t>(h) * shape.tokens + rows[i] - shape.row_offset];
            check(std::fabs(sums[static_cast<size_t>(h) * tokens + i] - want) <= 1e-5 * (1 + std::fabs(want)), shape.name() + ": lse");
        }
    }
}

void check_types(const AttentionShape& shape)
{
    check_rows<float>(shape, 1e-6);
    check_rows<uint16_t>(shape, 3e-3);
}

} // namespace

TEST(Attention_of_scattered_tokens_is_that_of_a_chunk)
{
    for (const int head_dim : {2, 16, 64, 80, 128, 130, 256, 258, 512})
    {
        check_types({9, 30, 2, 1, head_dim});
    }

    check_types({30, 30, 6, 2, 24});
    check_types({30, 100, 3, 3, 16, {0, 50, 99, 102, 120, 127, 128, 129}});
    check_types({20, 100, 2, 1, 48, {0, 50, 99, 102}, 0.3f, 2});
}
