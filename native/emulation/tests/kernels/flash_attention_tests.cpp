// flash_attention_*.cu against the float64 definition. The launches are those of the kernels' head comments.
#include "attention_reference.h"
#include "run_kernel.h"
#include "test.h"

using emulation::Array;
using emulation::Kernel;

namespace
{

struct Variant
{
    const char* name;
    int head_dim, query_rows, key_rows, warps;
};

const Variant Variants[] = {
    {"hd64", 64, 128, 128, 8}, {"hd128", 128, 64, 128, 8}, {"hd64_small", 64, 64, 128, 8}, {"hd128_small", 128, 32, 64, 4}};

// bf16 rounds by up to 2^-9, 1.1e-3 in the mean square: o, P and dS, which enter sums, then the result.
const AttentionLimits Limits = {2.5e-3, 1e-6, 3.5e-3, 3.5e-3, 2.5e-3};

uint32_t forward_shared(int head_dim) { return 640 * head_dim + 192; }

uint32_t backward_shared(const Variant& v)
{
    return 4 * v.key_rows * v.head_dim + 8 * v.query_rows * v.head_dim + 4 * v.query_rows * v.key_rows + 16 * v.query_rows + 64;
}

// A GPU whose blocks have less shared memory (sm_86, sm_89) runs the small variants alone.
bool fits(const Variant& v)
{
    const uint32_t most = static_cast<uint32_t>(emulation::shared_memory_per_block());
    return backward_shared(v) <= most;
}

struct Scores
{
    float scale, scale2, inner;
};

// As the kernels' head comment has it.
Scores scores(const AttentionShape& shape)
{
    const float log2_e = 1.4426950408889634f;
    return shape.softcap == 0 ? Scores{shape.scale(), shape.scale() * log2_e, 0}
                              : Scores{shape.softcap, shape.softcap * log2_e, 2 * log2_e * shape.scale() / shape.softcap};
}

class FlashAttention
{
public:
    FlashAttention(const AttentionShape& shape, const AttentionTensors& tensors)
        : _shape(shape), _kv(stored<uint16_t>(tensors.kv)), _q(stored<uint16_t>(tensors.q)),
          _output_gradient(stored<uint16_t>(tensors.output_gradient)), _first_key(shape.first_key())
    {
    }

    uint64_t seed = 0;

    void forward(const Cuts& cuts, AttentionResult& result)
    {
        const AttentionShape& s = _shape;
        const uint32_t grid = blocks(s.tokens, 128) * s.heads, shared = forward_shared(s.head_dim);
        Array<uint16_t> o(static_cast<size_t>(s.tokens) * s.q_columns());
        Array<float> lse(static_cast<size_t>(s.heads) * s.tokens), state(static_cast<size_t>(grid) * 128 * (s.head_dim + 8));
        const std::string variant = std::to_string(s.head_dim) + s.capped();
        const auto [scale, scale2, inner] = scores(s);
        if (cuts.empty())
        {
            Array<uint16_t> kv(_kv);
            kernel("flash_attention_forward", "flash_attention_forward_hd" + variant)
                .run({grid}, {128}, shared, _q.device(), kv.device(), _first_key.device(), o.device(), lse.device(), s.tokens, s.row_offset,
                    s.heads, s.kv_heads, scale, scale2, inner);
        }

        for (size_t i = 0; !cuts.empty() && i <= cuts.size(); i++)
        {
            const int start = i == 0 ? 0 : cuts[i - 1], end = i == cuts.size() ? s.rows() : cuts[i];
            Array<uint16_t> kv(rows_of(_kv, s.kv_columns(), start, end));
            kernel("flash_attention_forward", "flash_attention_forward_segment_hd" + variant)
                .run({grid}, {128}, shared, _q.device(), kv.device(), _first_key.device(), o.device(), lse.device(), state.device(),
                    s.tokens, s.row_offset, s.heads, s.kv_heads, start, end, i == 0 ? 1 : 0, i == cuts.size() ? 1 : 0, scale, scale2,
                    inner);
        }

        result.o = floats(o.host());
        result.lse = lse.host();
    }

    // `before`: what dkv holds and is added to; nothing: it is overwritten.
    void backward(const Variant& v, const Cuts& cuts, const std::vector<float>& before, AttentionResult& result)
    {
        const AttentionShape& s = _shape;
        const int query_blocks = blocks(s.tokens, v.query_rows), padded = query_blocks * v.query_rows;
        Array<uint16_t> o(stored<uint16_t>(std::vector<double>(result.o.begin(), result.o.end()))),
            dq(static_cast<size_t>(s.tokens) * s.q_columns());
        Array<float> lse(result.lse), stats(static_cast<size_t>(2) * padded * s.heads),
            dq_sums(static_cast<size_t>(padded) * s.q_columns());
        Array<int32_t> bounds(4 * query_blocks);
        Array<uint32_t> turns(1 + query_blocks * s.heads);
        kernel("flash_attention_backward_ends", "flash_attention_backward_prepare_hd" + std::to_string(s.head_dim))
            .run({blocks(static_cast<int64_t>(padded) * s.q_columns(), 2048)}, {256}, 0, o.device(), lse.device(),
                _output_gradient.device(), _first_key.device(), stats.device(), bounds.device(), turns.device(), s.tokens, s.heads,
                v.query_rows);
        result.dkv.clear();
        const auto [scale, scale2, inner] = scores(s);
        (void)scale;
        for (size_t i = 0; i <= cuts.size(); i++)
        {
            const int start = i == 0 ? 0 : cuts[i - 1], end = i == cuts.size() ? s.rows() : cuts[i];
            Array<uint16_t> kv(rows_of(_kv, s.kv_columns(), start, end));
            const size_t count = static_cast<size_t>(end - start) * s.kv_columns();
            Array<float> dkv = before.empty() ? Array<float>(count) : Array<float>(rows_of(before, s.kv_columns(), start, end));
            kernel("flash_attention_backward", std::string("flash_attention_backward_") + v.name + s.capped())
                .run({blocks(end - start, v.key_rows) * s.kv_heads}, {32u * v.warps}, backward_shared(v), _q.device(), kv.device(),
                    _first_key.device(), _output_gradient.device(), dkv.device(), stats.device(), bounds.device(), turns.device(),
                    dq_sums.device(), s.tokens, s.row_offset, s.heads, s.kv_heads, start, end, before.empty() ? 0 : 1, s.scale(), scale2,
                    inner);
            const std::vector<float> part = dkv.host();
            result.dkv.insert(result.dkv.end(), part.begin(), part.end());
        }

        kernel("flash_attention_backward_ends", std::string("flash_attention_backward_finish_") + v.name)
            .run({static_cast<uint32_t>(query_blocks * s.heads)}, {32u * v.warps}, 0, dq_sums.device(), dq.device(), s.tokens, s.heads,
                s.scale());
        result.dq = floats(dq.host());
    }

    AttentionResult both(const Variant& variant, const Cuts& cuts)
    {
        AttentionResult result;
        forward(cuts, result);
        backward(variant, cuts, {}, result);
        return result;
    }

private:
    Kernel kernel(const std::string& file, const std::string& name) const
    {
        Kernel found(kernel_file("../" + file), name);
        found.seed = seed;
        return found;
    }

    AttentionShape _shape;
    std::vector<uint16_t> _kv;
    Array<uint16_t> _q, _output_gradient;
    Array<int32_t> _first_key;
};

void check_variants(AttentionShape shape)
{
    for (const int head_dim : {64, 128})
    {
        shape.head_dim = head_dim;
        const AttentionTensors expected = attention_reference(shape, true, 1);
        FlashAttention attention(shape, expected);
        for (const Variant& variant : Variants)
        {
            if (variant.head_dim == head_dim && fits(variant))
            {
                check_attention(shape.name() + ", " + variant.name, attention.both(variant, {}), expected, shape, Limits);
            }
        }
    }
}

} // namespace

TEST(Flash_attention_is_right_for_one_document_of_any_length)
{
    for (const int tokens : {1, 17, 64, 129, 300})
    {
        check_variants({tokens, 0, 1, 1, 0});
    }
}

TEST(Flash_attention_is_right_for_a_chunk_against_its_context)
{
    check_variants({130, 257, 1, 1, 0});
    check_variants({64, 128, 2, 1, 0});
}

TEST(Flash_attention_is_right_for_groups_of_heads)
{
    check_variants({70, 0, 4, 1, 0});
    check_variants({70, 30, 6, 2, 0});
    check_variants({70, 0, 3, 3, 0});
}

TEST(Flash_attention_is_right_for_packed_documents_padding_and_those_that_cross_the_chunk)
{
    check_variants({200, 150, 2, 1, 0, {0, 100, 149, 152, 280, 347, 348, 349}});
    check_variants({256, 0, 1, 1, 0, {0, 64, 128, 192}});
}

TEST(Flash_attention_scales_scores_and_keeps_them_within_a_softcap)
{
    check_variants({70, 30, 2, 1, 0, {0}, 0.2f});
    check_variants({200, 150, 2, 1, 0, {0, 100, 149, 152, 280, 347, 348, 349}, 0, 2});
    check_variants({130, 60, 2, 1, 0, {0}, 0.0625f, 50});
}

TEST(Flash_attention_accumulates_the_gradients_of_keys_and_values)
{
    const AttentionShape shape = {100, 60, 2, 1, 128, {0, 90}};
    const AttentionTensors expected = attention_reference(shape, true, 3);
    FlashAttention attention(shape, expected);
    for (const Variant& variant : {Variants[1], Variants[3]})
    {
        if (!fits(variant))
        {
            continue;
        }

        AttentionResult overwritten = attention.both(variant, {});
        AttentionResult accumulated = overwritten;
        std::vector<float> before(overwritten.dkv.size());
        for (size_t i = 0; i < before.size(); i++)
        {
            before[i] = static_cast<float>(i % 1000) / 16;
        }

        attention.backward(variant, {}, before, accumulated);
        for (size_t i = 0; i < before.size(); i++)
        {
            check(accumulated.dkv[i] == before[i] + overwritten.dkv[i], "element " + std::to_string(i));
        }
    }
}

TEST(Flash_attention_gives_the_same_bits_however_the_window_is_cut)
{
    for (const Variant& variant : Variants)
    {
        if (!fits(variant))
        {
            continue;
        }

        for (const float softcap : {0.0f, 3.0f})
        {
            const AttentionShape shape = {150, 300, 2, 1, variant.head_dim, {0, 140, 390}, 0, softcap};
            FlashAttention attention(shape, attention_reference(shape, true, 4));
            const AttentionResult whole = attention.both(variant, {});
            for (const Cuts& cuts : {Cuts{128}, Cuts{256}, Cuts{128, 256, 384}})
            {
                check(attention.both(variant, cuts) == whole,
                    shape.name() + ", " + variant.name + ", " + std::to_string(cuts.size()) + " cuts");
            }
        }
    }
}

TEST(Flash_attention_gives_the_same_bits_in_every_run_and_for_every_order_of_threads)
{
    for (const Variant& variant : Variants)
    {
        if (!fits(variant))
        {
            continue;
        }

        const AttentionShape shape = {140, 40, 2, 1, variant.head_dim, {0, 100}};
        FlashAttention attention(shape, attention_reference(shape, true, 5));
        const AttentionResult first = attention.both(variant, {});
        for (attention.seed = 0; attention.seed < 4; attention.seed++)
        {
            check(attention.both(variant, {}) == first, shape.name() + ", " + variant.name + ", seed " + std::to_string(attention.seed));
        }
    }
}

TEST(Flash_attention_fits_into_the_shared_memory_of_its_GPUs)
{
    const int a100 = 163 * 1024, small_block = 99 * 1024; // a block's most on sm_80, and on sm_86 and sm_89
    for (const Variant& v : Variants)
    {
        const int limit = std::string(v.name).find("small") == std::string::npos ? a100 : small_block;
        check(backward_shared(v) <= static_cast<uint32_t>(limit),
            std::string(v.name) + " needs " + std::to_string(backward_shared(v)) + " bytes");
        check(2 * (forward_shared(v.head_dim) + 1024) <= 164 * 1024u, "two blocks of the forward do not fit into 164 KiB");
    }
}
