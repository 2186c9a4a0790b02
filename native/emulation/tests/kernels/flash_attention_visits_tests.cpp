// Which blocks of keys and of queries flash_attention_*.cu visit.
#include <cstring>
#include <functional>

#include "flash_attention_launches.h"

namespace
{

// Rows of `columns` values that differ from those of `clean`; what `may` says no to must be none of them.
int changed_rows(const std::string& what, const std::vector<float>& clean, const std::vector<float>& values, int columns,
    const std::function<bool(int)>& may)
{
    int count = 0;
    for (int row = 0; row < static_cast<int>(clean.size()) / columns; row++)
    {
        const size_t at = static_cast<size_t>(row) * columns;
        const bool changed = std::memcmp(&clean[at], &values[at], columns * sizeof(float)) != 0;
        check(!changed || may(row), what + ": row " + std::to_string(row));
        count += changed;
    }

    return count;
}

// Poisons 128 rows at a time: of keys, and see which queries' blocks read them; of queries, and see which keys' blocks do.
void check_visits(const AttentionShape& shape, const Variant& variant)
{
    const int step = 128;
    const std::vector<int32_t> first_key = shape.first_key();
    const AttentionTensors tensors = attention_reference(shape, true, 7);
    const AttentionResult clean = FlashAttention(shape, tensors).both(variant, {});
    const auto sees = [&](int first_token, int last_token, int first_row, int last_row) {
        last_token = std::min(last_token, shape.tokens - 1);
        return first_key[first_token] <= last_row && first_row <= shape.row_offset + last_token;
    };
    int masked = 0;
    for (int key = 0; key < shape.rows(); key += step)
    {
        Poison poison;
        poison.key_start = key;
        poison.key_end = std::min(key + step, shape.rows());
        const std::string what = shape.name() + ", " + variant.name + ", keys from " + std::to_string(key);
        const auto seen_by_block = [&](int rows) {
            return [&, rows](int token) { return sees(token / rows * rows, token / rows * rows + rows - 1, key, key + step - 1); };
        };
        FlashAttention attention(shape, tensors, poison);
        AttentionResult result;
        attention.forward(variant, {}, result);
        masked += changed_rows(what + ", o", clean.o, result.o, shape.q_columns(), seen_by_block(variant.forward_rows()));
        result = clean;
        attention.backward(variant, {}, {}, result);
        masked += changed_rows(what + ", dq", clean.dq, result.dq, shape.q_columns(), seen_by_block(variant.query_rows));
        for (int token = 0; token < shape.tokens; token++)
        {
            masked -= 2 * sees(token, token, key, key + step - 1);
        }
    }

    check(masked > 0, shape.name() + ", " + variant.name + ": poison shows nothing of what is visited and masked");
    for (int token = 0; token < shape.tokens; token += step)
    {
        Poison poison;
        poison.token_start = token;
        poison.token_end = std::min(token + step, shape.tokens);
        const int rows = variant.key_rows;
        AttentionResult result = clean;
        FlashAttention(shape, tensors, poison).backward(variant, {}, {}, result);
        const int changed = changed_rows(shape.name() + ", " + variant.name + ", queries from " + std::to_string(token), clean.dkv,
            result.dkv, shape.kv_columns(),
            [&](int row) { return sees(token, token + step - 1, row / rows * rows, row / rows * rows + rows - 1); });
        check(changed > 0, "poisoned queries change nothing");
    }
}

} // namespace

// What is visited and masked turns to NaN with the keys' values; what is not visited keeps its bits.
TEST(Flash_attention_visits_no_block_that_documents_and_windows_hide)
{
    AttentionShape windows = {300, 200, 1, 1, 0}, documents = {300, 200, 1, 1, 0, {0, 150, 330, 400}};
    windows.window = 70;
    for (AttentionShape shape : {windows, documents})
    {
        int number = 0;
        for (const Variant& variant : Variants)
        {
            // Every third, and all in a soak run.
            if (fits(variant) && (is_soak() || number++ % 3 == 0))
            {
                shape.head_dim = some_width(variant);
                check_visits(shape, variant);
            }
        }
    }
}
