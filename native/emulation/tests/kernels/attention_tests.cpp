// attention.cu, the plain provider, against the float64 definition. The launches are those of the kernels' head comment.
#include "attention_reference.h"
#include "run_kernel.h"
#include "test.h"

using emulation::Array;
using emulation::Kernel;

namespace
{

const AttentionLimits Limits32 = {1e-6, 1e-6, 2e-6, 2e-6, 1e-6};

// Only what is stored is rounded to bf16: o, which enters delta, and dq.
const AttentionLimits Limits16 = {2e-3, 1e-6, 3e-3, 2.5e-3, 1e-6};

template <typename T> class PlainAttention
{
public:
    PlainAttention(const AttentionShape& shape, const AttentionTensors& tensors)
        : _shape(shape), _kv(stored<T>(tensors.kv)), _q(stored<T>(tensors.q)), _output_gradient(stored<T>(tensors.output_gradient)),
          _first_key(shape.first_key())
    {
    }

    uint64_t seed = 0;

    // `before`: what dkv holds and is added to; nothing: it is overwritten.
    AttentionResult run(const Cuts& cuts, const std::vector<float>& before = {})
    {
        const AttentionShape& s = _shape;
        const bool wide = s.head_dim > 128, widest = s.head_dim > 256;
        const int tile = widest ? 16 : wide ? 32 : 64, rows = wide ? 16 : 32, row_bytes = 16 * ((s.head_dim + 3) / 4 | 1);
        const uint32_t forward_shared = 2 * tile * row_bytes + 4 * tile * (tile + 4),
                       backward_shared = (widest ? 2 : 4) * rows * row_bytes + 8 * rows * (rows + 4);
        const uint32_t forward_grid = blocks(s.tokens, tile) * s.heads, backward_grid = blocks(s.tokens, rows) * s.heads;
        Array<T> o(static_cast<size_t>(s.tokens) * s.q_columns()), dq(static_cast<size_t>(s.tokens) * s.q_columns());
        Array<float> lse(static_cast<size_t>(s.heads) * s.tokens), delta(static_cast<size_t>(s.heads) * s.tokens);
        Array<float> forward_state(static_cast<size_t>(forward_grid) * 10240), 
            backward_state(static_cast<size_t>(backward_grid) * (widest ? 8192 : 4096));
        AttentionResult result;
        each_segment(cuts, [&](int start, int end, int first, int last) {
            Array<T> kv(rows_of(_kv, s.kv_columns(), start, end));
            kernel("attention_forward", s.capped())
                .run({forward_grid}, {256}, forward_shared, _q.device(), kv.device(), _first_key.device(), o.device(), lse.device(),
                    forward_state.device(), s.tokens, s.row_offset, s.heads, s.kv_heads, s.head_dim, start, end, s.scale(),
                    s.softcap, first, last);
        });
        kernel("attention_delta", "", false)
            .run({blocks(static_cast<int64_t>(s.tokens) * s.heads, 8)}, {256}, 0, o.device(), _output_gradient.device(), delta.device(),
                s.tokens, s.heads, s.head_dim);
        each_segment(cuts, [&](int start, int end, int first, int last) {
            Array<T> kv(rows_of(_kv, s.kv_columns(), start, end));
            const size_t count = static_cast<size_t>(end - start) * s.kv_columns();
            Array<float> dkv = before.empty() ? Array<float>(count) : Array<float>(rows_of(before, s.kv_columns(), start, end));
            kernel("attention_backward_kv", s.capped())
                .run({blocks(end - start, rows) * s.kv_heads}, {256}, backward_shared, _q.device(), kv.device(), _first_key.device(),
                    _output_gradient.device(), lse.device(), delta.device(), dkv.device(), s.tokens, s.row_offset, s.heads, s.kv_heads,
                    s.head_dim, start, end, s.scale(), s.softcap, before.empty() ? 0 : 1);
            kernel("attention_backward_q", s.capped())
                .run({backward_grid}, {256}, backward_shared, _q.device(), kv.device(), _first_key.device(), _output_gradient.device(),
                    lse.device(), delta.device(), dq.device(), backward_state.device(), s.tokens, s.row_offset, s.heads, s.kv_heads,
                    s.head_dim, start, end, s.scale(), s.softcap, first, last);
            const std::vector<float> part = dkv.host();
            result.dkv.insert(result.dkv.end(), part.begin(), part.end());
        });
        result.o = floats(o.host());
        result.lse = lse.host();
        result.dq = floats(dq.host());
        return result;
    }

private:
    template <typename F> void each_segment(const Cuts& cuts, F launch) const
    {
        for (size_t i = 0; i <= cuts.size(); i++)
        {
            launch(i == 0 ? 0 : cuts[i - 1], i == cuts.size() ? _shape.rows() : cuts[i], i == 0 ? 1 : 0, i == cuts.size() ? 1 : 0);
        }
    }

    Kernel kernel(const std::string& name, const char* capped, bool by_width = true) const
    {
        const char* width = !by_width || _shape.head_dim <= 128 ? "" : _shape.head_dim <= 256 ? "_wide" : "_widest";
        Kernel found(kernel_file("../attention"), name + width + capped + (sizeof(T) == 4 ? "_f32" : "_bf16"));
        found.seed = seed;
        return found;
    }

    AttentionShape _shape;
    std::vector<T> _kv;
    Array<T> _q, _output_gradient;
    Array<int32_t> _first_key;
};

void check_types(const AttentionShape& shape)
{
    const AttentionTensors expected = attention_reference(shape, false, 1), expected16 = attention_reference(shape, true, 1);
    check_attention(shape.name() + ", fp32", PlainAttention<float>(shape, expected).run({}), expected, shape, Limits32);
    check_attention(shape.name() + ", bf16", PlainAttention<uint16_t>(shape, expected16).run({}), expected16, shape, Limits16);
}

} // namespace

TEST(Plain_attention_is_right_for_every_head_dim)
{
    for (const int head_dim : {2, 6, 64, 80, 96, 128, 130, 192, 256, 258, 512})
    {
        check_types({67, 30, 2, 1, head_dim});
    }
}

TEST(Plain_attention_is_right_for_one_document_of_any_length)
{
    for (const int tokens : {1, 16, 33, 64, 150})
    {
        check_types({tokens, 0, 1, 1, 32});
    }
}

TEST(Plain_attention_is_right_for_groups_of_heads_documents_padding_and_context)
{
    check_types({70, 30, 6, 2, 24});
    check_types({40, 200, 3, 3, 16});
    check_types({130, 100, 2, 1, 64, {0, 50, 99, 102, 180, 227, 228, 229}});
    check_types({130, 100, 2, 1, 136, {0, 50, 99, 102, 180, 227, 228, 229}});
}

TEST(Plain_attention_scales_scores_and_keeps_them_within_a_softcap)
{
    for (const int head_dim : {64, 80, 144, 300})
    {
        check_types({67, 30, 2, 1, head_dim, {0}, head_dim > 256 ? 0.1f : 0.3f});
        check_types({130, 100, 2, 1, head_dim, {0, 50, 99, 102, 180, 227, 228, 229}, 0, 2});
        check_types({40, 60, 2, 1, head_dim, {0}, 0.05f, 50});
    }
}

TEST(Plain_attention_accumulates_the_gradients_of_keys_and_values)
{
    const AttentionShape shape = {50, 60, 2, 1, 32, {0, 90}};
    PlainAttention<float> attention(shape, attention_reference(shape, false, 3));
    const AttentionResult overwritten = attention.run({});
    std::vector<float> before(overwritten.dkv.size());
    for (size_t i = 0; i < before.size(); i++)
    {
        before[i] = static_cast<float>(i % 1000) / 16;
    }

    const AttentionResult accumulated = attention.run({}, before);
    for (size_t i = 0; i < before.size(); i++)
    {
        check(accumulated.dkv[i] == before[i] + overwritten.dkv[i], "element " + std::to_string(i));
    }
}

TEST(Plain_attention_gives_the_same_bits_however_the_window_is_cut_and_for_every_order_of_threads)
{
    for (const int head_dim : {32, 144, 320})
    {
        const AttentionShape shape = {70, 150, 2, 1, head_dim, {0, 70, 200}};
        PlainAttention<float> attention(shape, attention_reference(shape, false, 4));
        const AttentionResult whole = attention.run({});
        for (const Cuts& cuts : {Cuts{64}, Cuts{128}, Cuts{64, 128, 192}})
        {
            attention.seed++;
            check(attention.run(cuts) == whole, shape.name() + ", " + std::to_string(cuts.size()) + " cuts");
        }
    }
}
