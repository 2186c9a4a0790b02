// flash_attention_*.cu against the float64 definition. The launches are those of the kernels' head comments.
#include "flash_attention_launches.h"

namespace
{

// In a soak run all widths, else some.
std::vector<int> some_widths() { return is_soak() ? std::vector<int>{64, 128, 42, 96, 256} : std::vector<int>{128, 96, 256}; }

void check_variants(AttentionShape shape, const std::vector<int>& head_dims = some_widths())
{
    for (const int head_dim : head_dims)
    {
        shape.head_dim = head_dim;
        const AttentionTensors expected = attention_reference(shape, true, 1);
        FlashAttention attention(shape, expected);
        for (const Variant& variant : Variants)
        {
            if (variant.takes(head_dim) && fits(variant))
            {
                check_attention(shape.name() + ", " + variant.name, attention.both(variant, {}), expected, shape,
                    head_dim < 16 ? NarrowLimits : Limits);
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

TEST(Flash_attention_is_right_for_heads_of_any_even_width)
{
    const std::vector<int> all = {2, 6, 8, 16, 40, 42, 62, 66, 72, 80, 96, 112, 126, 130, 160, 192, 250, 256};
    const std::vector<int> widths = is_soak() ? all : std::vector<int>{2, 16, 42, 80, 126, 192, 250};
    check_variants({150, 40, 2, 1, 0, {0, 90}}, widths);
    check_variants({33, 0, 2, 2, 0, {0}, 0.2f, 2}, widths);
}

TEST(Flash_attention_pads_heads_to_the_bits_of_those_that_need_none)
{
    const std::pair<int, int> pairs[] = {{0, 4}, {1, 5}, {2, 7}, {3, 8}};
    for (const auto& [exact, padded] : pairs)
    {
        if (!fits(Variants[exact]))
        {
            continue;
        }

        const AttentionShape shape = {140, 40, 2, 1, Variants[exact].columns, {0, 100}};
        FlashAttention attention(shape, attention_reference(shape, true, 6));
        check(attention.both(Variants[exact], {}) == attention.both(Variants[padded], {}), Variants[padded].name);
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

TEST(Flash_attention_is_right_for_attention_windows)
{
    AttentionShape shape = {200, 150, 2, 1, 0};
    shape.window = 70;
    check_variants(shape);
    shape.documents = {0, 100, 149, 152, 280, 347};
    shape.softcap = 2;
    check_variants(shape);
}

TEST(Flash_attention_accumulates_the_gradients_of_keys_and_values)
{
    for (const Variant& variant : Variants)
    {
        if (!fits(variant))
        {
            continue;
        }

        const AttentionShape shape = {100, 60, 2, 1, some_width(variant), {0, 90}};
        FlashAttention attention(shape, attention_reference(shape, true, 3));
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
            const AttentionShape shape = {150, 300, 2, 1, some_width(variant), {0, 140, 390}, 0, softcap};
            FlashAttention attention(shape, attention_reference(shape, true, 4));
            const AttentionResult whole = attention.both(variant, {});
            for (const Cuts& cuts : {Cuts{128}, Cuts{128, 256}, Cuts{128, 256, 384}})
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

        const AttentionShape shape = {140, 40, 2, 1, some_width(variant), {0, 100}};
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
        check(2 * (forward_shared(v) + 1024) <= 164 * 1024u, "two blocks of the forward do not fit into 164 KiB");
    }
}
