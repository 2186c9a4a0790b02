// The kernels of flash_attention_*.cu as their head comments launch them, in all variants.
#pragma once

#include <algorithm>

#include "attention_reference.h"
#include "run_kernel.h"
#include "test.h"

// `columns`: of a tile; padded, of heads of any even width up to that, else of that width.
struct Variant
{
    const char* name;
    int columns;
    bool padded;
    int query_rows, key_rows, warps;

    bool takes(int head_dim) const
    {
        return padded ? head_dim <= columns && head_dim > (columns == 64 ? 0 : columns / 2) : head_dim == columns;
    }

    int forward_rows() const { return columns > 128 ? 64 : 128; }
    std::string width() const { return (padded ? "to" : "hd") + std::to_string(columns); }
    std::string file(const char* pass) const { return std::string("flash_attention_") + pass + (padded ? "_padded" : ""); }
};

const Variant Variants[] = {{"hd64", 64, false, 128, 128, 8}, {"hd128", 128, false, 64, 128, 8}, {"hd64_small", 64, false, 64, 128, 8},
    {"hd128_small", 128, false, 32, 64, 4}, {"to64", 64, true, 128, 128, 8}, {"to128", 128, true, 64, 128, 8},
    {"to256", 256, true, 32, 64, 8}, {"to64_small", 64, true, 64, 128, 8}, {"to128_small", 128, true, 32, 64, 4},
    {"to256_small", 256, true, 32, 32, 4}};

// bf16 rounds by up to 2^-9, 1.1e-3 in the mean square: o, P and dS, which enter sums, then the result.
const AttentionLimits Limits = {2.5e-3, 1e-6, 3.5e-3, 3.5e-3, 2.5e-3};

// dS has its error from o too, of which delta is a sum over the head: over few columns it is not the mean of many roundings.
const AttentionLimits NarrowLimits = {2.5e-3, 1e-6, 6e-3, 6e-3, 2.5e-3};

inline uint32_t forward_shared(const Variant& v) { return (v.columns > 128 ? 320 : 640) * v.columns + 192; }

inline uint32_t backward_shared(const Variant& v)
{
    const int score_tiles = v.key_rows < 64 ? 1 : 2; // P and dS in one or two
    return 4 * v.key_rows * v.columns + 8 * v.query_rows * v.columns + 2 * score_tiles * v.query_rows * v.key_rows + 16 * v.query_rows + 64;
}

// A GPU whose blocks have less shared memory (sm_86, sm_89) runs the small variants alone.
inline bool fits(const Variant& v)
{
    const uint32_t most = static_cast<uint32_t>(emulation::shared_memory_per_block());
    return backward_shared(v) <= most;
}

struct Scores
{
    float scale, scale2, inner;
};

// As the kernels' head comment has it.
inline Scores scores(const AttentionShape& shape)
{
    const float log2_e = 1.4426950408889634f;
    return shape.softcap == 0 ? Scores{shape.scale(), shape.scale() * log2_e, 0}
                              : Scores{shape.softcap, shape.softcap * log2_e, 2 * log2_e * shape.scale() / shape.softcap};
}

// What of the inputs is not a number: window rows of kv, tokens of q and of the output's gradient.
struct Poison
{
    int key_start = 0, key_end = 0;
    int token_start = 0, token_end = 0;
};

class FlashAttention
{
    template <typename T> using Array = emulation::Array<T>;

public:
    FlashAttention(const AttentionShape& shape, const AttentionTensors& tensors, const Poison& poison = {})
        : _shape(shape), _kv(poisoned(tensors.kv, shape.kv_columns(), poison.key_start, poison.key_end)),
          _q(poisoned(tensors.q, shape.q_columns(), poison.token_start, poison.token_end)),
          _output_gradient(poisoned(tensors.output_gradient, shape.q_columns(), poison.token_start, poison.token_end)),
          _first_key(shape.first_key())
    {
    }

    uint64_t seed = 0;

    void forward(const Variant& v, const Cuts& cuts, AttentionResult& result)
    {
        const AttentionShape& s = _shape;
        const uint32_t grid = blocks(s.tokens, v.forward_rows()) * s.heads, shared = forward_shared(v);
        Array<uint16_t> o(static_cast<size_t>(s.tokens) * s.q_columns());
        Array<float> lse(static_cast<size_t>(s.heads) * s.tokens),
            state(static_cast<size_t>(grid) * v.forward_rows() * (v.columns + 8));
        const std::string variant = v.width() + s.capped();
        const auto [scale, scale2, inner] = scores(s);
        if (cuts.empty())
        {
            Array<uint16_t> kv(_kv);
            kernel(v.file("forward"), "flash_attention_forward_" + variant)
                .run({grid}, {128}, shared, _q.device(), kv.device(), _first_key.device(), o.device(), lse.device(), s.tokens, s.row_offset,
                    s.heads, s.kv_heads, scale, scale2, inner, s.head_dim);
        }

        // The last word is the last piece's, or after three of them the finish's.
        const bool finish = cuts.size() == 2;
        for (size_t i = 0; !cuts.empty() && i <= cuts.size(); i++)
        {
            const int start = i == 0 ? 0 : cuts[i - 1], end = i == cuts.size() ? s.rows() : cuts[i];
            const bool last = i == cuts.size() && !finish;
            Array<uint16_t> kv(rows_of(_kv, s.kv_columns(), start, end));
            kernel(v.file("forward"), "flash_attention_forward_segment_" + variant)
                .run({grid}, {128}, shared, _q.device(), kv.device(), _first_key.device(), o.device(), lse.device(), state.device(),
                    s.tokens, s.row_offset, s.heads, s.kv_heads, start, end, i == 0 ? 1 : 0, last ? 1 : 0, scale, scale2, inner,
                    s.head_dim);
        }

        if (finish)
        {
            kernel(v.file("forward"), "flash_attention_forward_finish_" + v.width())
                .run({grid}, {128}, shared, state.device(), o.device(), lse.device(), s.tokens, s.heads, scale, s.head_dim);
        }

        result.o = floats(o.host());
        result.lse = lse.host();
    }

    // `before`: what dkv holds and is added to; nothing: it is overwritten.
    void backward(const Variant& v, const Cuts& cuts, const std::vector<float>& before, AttentionResult& result)
    {
        const AttentionShape& s = _shape;
        const int query_blocks = blocks(s.tokens, v.query_rows), padded = query_blocks * v.query_rows;
        const int64_t sums = static_cast<int64_t>(padded) * s.heads * v.columns;
        Array<uint16_t> o(stored<uint16_t>(std::vector<double>(result.o.begin(), result.o.end()))),
            dq(static_cast<size_t>(s.tokens) * s.q_columns());
        Array<float> lse(result.lse), stats(static_cast<size_t>(2) * padded * s.heads), dq_sums(static_cast<size_t>(sums));
        Array<int32_t> bounds(4 * query_blocks);
        Array<uint32_t> turns(1 + query_blocks * s.heads);
        kernel("flash_attention_backward_ends", "flash_attention_backward_prepare_" + v.width())
            .run({blocks(sums, 2048)}, {256}, 0, o.device(), lse.device(), _output_gradient.device(), _first_key.device(), stats.device(),
                bounds.device(), turns.device(), s.tokens, s.heads, v.query_rows, s.head_dim);
        result.dkv.clear();
        const auto [scale, scale2, inner] = scores(s);
        (void)scale;
        for (size_t i = 0; i <= cuts.size(); i++)
        {
            const int start = i == 0 ? 0 : cuts[i - 1], end = i == cuts.size() ? s.rows() : cuts[i];
            Array<uint16_t> kv(rows_of(_kv, s.kv_columns(), start, end));
            const size_t count = static_cast<size_t>(end - start) * s.kv_columns();
            Array<float> dkv = before.empty() ? Array<float>(count) : Array<float>(rows_of(before, s.kv_columns(), start, end));
            kernel(v.file("backward"), std::string("flash_attention_backward_") + v.name + s.capped())
                .run({blocks(end - start, v.key_rows) * s.kv_heads}, {32u * v.warps}, backward_shared(v), _q.device(), kv.device(),
                    _first_key.device(), _output_gradient.device(), dkv.device(), stats.device(), bounds.device(), turns.device(),
                    dq_sums.device(), s.tokens, s.row_offset, s.heads, s.kv_heads, start, end, before.empty() ? 0 : 1, s.scale(), scale2,
                    inner, s.head_dim);
            const std::vector<float> part = dkv.host();
            result.dkv.insert(result.dkv.end(), part.begin(), part.end());
        }

        kernel("flash_attention_backward_ends", std::string("flash_attention_backward_finish_") + v.name)
            .run({static_cast<uint32_t>(query_blocks * s.heads)}, {32u * v.warps}, 0, dq_sums.device(), dq.device(), s.tokens, s.heads,
                s.scale(), s.head_dim);
        result.dq = floats(dq.host());
    }

    AttentionResult both(const Variant& variant, const Cuts& cuts)
    {
        AttentionResult result;
        forward(variant, cuts, result);
        backward(variant, cuts, {}, result);
        return result;
    }

private:
    static std::vector<uint16_t> poisoned(const std::vector<double>& values, int columns, int start, int end)
    {
        std::vector<uint16_t> result = stored<uint16_t>(values);
        std::fill(result.begin() + static_cast<ptrdiff_t>(start) * columns, result.begin() + static_cast<ptrdiff_t>(end) * columns,
            static_cast<uint16_t>(0x7fff));
        return result;
    }

    emulation::Kernel kernel(const std::string& file, const std::string& name) const
    {
        emulation::Kernel found(kernel_file("../" + file), name);
        found.seed = seed;
        return found;
    }

    AttentionShape _shape;
    std::vector<uint16_t> _kv;
    Array<uint16_t> _q, _output_gradient;
    Array<int32_t> _first_key;
};

// Of a padded variant one whose rows start off 16 bytes.
inline int some_width(const Variant& variant) { return variant.padded ? variant.columns - 6 : variant.columns; }
