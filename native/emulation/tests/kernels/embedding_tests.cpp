#include <algorithm>
#include <cmath>

#include "kernel_test.h"

namespace
{

template <typename T> void check_forward(int rows, int columns, float scale = 1)
{
    Numbers numbers(columns);
    const int vocab = 50;
    const std::vector<T> table = numbers.many<T>(static_cast<size_t>(vocab) * columns);
    std::vector<int> ids(rows);
    std::vector<T> expected;
    for (int& id : ids)
    {
        id = numbers.below(vocab);
        expected.insert(
            expected.end(), table.begin() + static_cast<long>(id) * columns, table.begin() + static_cast<long>(id + 1) * columns);
    }

    for (T& value : expected)
    {
        value = rounded<T>(to_float(value) * scale);
    }

    Array<T> device_table(table), x(expected.size());
    Array<int> device_ids(ids);
    kernel("embedding", std::string("embedding_forward_") + Type<T>::Name + any_rows<T>(columns)).run({static_cast<uint32_t>(rows)},
        {block_for(divided_up(columns / pack_of<T>(columns), 2), 32, 512)}, 0, device_ids.device(), device_table.device(), x.device(),
        scale, columns);
    check_same(x.host(), expected, "gathered rows of " + std::to_string(columns));
}

// Of the whole table, or of its blocks one after the other.
template <typename T> void check_add(int rows, int columns, float scale, const std::vector<int>& starts = {})
{
    Numbers numbers(columns + rows);
    const int table_rows = 30;
    const std::vector<T> table = numbers.many<T>(static_cast<size_t>(table_rows) * columns);
    std::vector<T> expected = numbers.many<T>(static_cast<size_t>(rows) * columns);
    std::vector<int> ids(rows);
    Array<T> device_table(table), x(expected);
    for (int r = 0; r < rows; r++)
    {
        ids[r] = numbers.below(table_rows);
        for (int c = 0; c < columns; c++)
        {
            T& value = expected[static_cast<size_t>(r) * columns + c];
            value = rounded<T>(std::fma(to_float(table[static_cast<size_t>(ids[r]) * columns + c]), scale, to_float(value)));
        }
    }

    Array<int> device_ids(ids);
    const uint32_t threads = block_for(divided_up(columns / pack_of<T>(columns), 2), 32, 512);
    const std::string suffix = Type<T>::Name + any_rows<T>(columns);
    if (starts.empty())
    {
        kernel("embedding", "embedding_add_" + suffix).run({static_cast<uint32_t>(rows)}, {threads}, 0, device_ids.device(),
            device_table.device(), x.device(), scale, columns);
    }

    for (size_t b = 0; b < starts.size(); b++)
    {
        const int first = starts[b], end = b + 1 < starts.size() ? starts[b + 1] : table_rows;
        Array<T> block(
            std::vector<T>(table.begin() + static_cast<long>(first) * columns, table.begin() + static_cast<long>(end) * columns));
        kernel("embedding", "embedding_block_add_" + suffix).run({static_cast<uint32_t>(rows)}, {threads}, 0, device_ids.device(),
            block.device(), x.device(), scale, first, end - first, columns);
    }

    check_same(x.host(), expected, "added rows of " + std::to_string(columns));
}

// Over the blocks of a table, whose rows begin there, the first with zeros for the others.
template <typename T> void check_block_forward(int rows, int columns, const std::vector<int>& starts, float scale = 1)
{
    Numbers numbers(columns);
    const int vocab = 50;
    const std::vector<T> table = numbers.many<T>(static_cast<size_t>(vocab) * columns);
    std::vector<int> ids(rows);
    for (int r = 0; r < rows; r++)
    {
        // The ends of blocks among them.
        ids[r] = r < static_cast<int>(starts.size()) ? starts[r] : r == rows - 1 ? vocab - 1 : numbers.below(vocab);
    }

    Array<T> x(static_cast<size_t>(rows) * columns);
    Array<int> device_ids(ids);
    std::vector<T> expected(static_cast<size_t>(rows) * columns);
    for (size_t b = 0; b < starts.size(); b++)
    {
        const int first = starts[b], end = b + 1 < starts.size() ? starts[b + 1] : vocab;
        Array<T> block(
            std::vector<T>(table.begin() + static_cast<long>(first) * columns, table.begin() + static_cast<long>(end) * columns));
        kernel("embedding", std::string("embedding_block_forward_") + Type<T>::Name + any_rows<T>(columns))
            .run({static_cast<uint32_t>(rows)}, {block_for(divided_up(columns / pack_of<T>(columns), 2), 32, 512)}, 0, device_ids.device(),
                block.device(), x.device(), scale, first, end - first, columns, b == 0 ? 1 : 0);
        for (int r = 0; r < rows; r++)
        {
            if (ids[r] >= first && ids[r] < end)
            {
                std::transform(table.begin() + static_cast<long>(ids[r]) * columns, table.begin() + static_cast<long>(ids[r] + 1) * columns,
                    expected.begin() + static_cast<long>(r) * columns, [&](T value) { return rounded<T>(to_float(value) * scale); });
            }
        }

        check_same(x.host(), expected, "rows of " + std::to_string(columns) + " after block " + std::to_string(b));
    }
}

// Bit for bit: the order of the sums is the definition. With starts of blocks, each block of the table is its own.
template <typename T, typename G>
void check_backward(int rows, int tokens, int columns, int vocab, uint64_t seed = 1, const std::vector<int>& starts = {},
    float scale = 1)
{
    Numbers numbers(columns + tokens);
    const std::vector<T> dx = numbers.many<T>(static_cast<size_t>(rows) * columns);
    const std::vector<G> old = numbers.many<G>(static_cast<size_t>(vocab) * columns);
    std::vector<int> ids(rows), order(rows);
    for (int i = 0; i < rows; i++)
    {
        // Some ids are frequent.
        ids[i] = numbers.below(3) == 0 ? 7 % vocab : numbers.below(vocab);
        order[i] = i;
    }

    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return ids[a] < ids[b]; });
    order.resize(tokens);
    std::vector<G> expected = old;
    for (int i = 0; i < tokens;)
    {
        const int id = ids[order[i]];
        std::vector<float> sum(columns);
        for (; i < tokens && ids[order[i]] == id; i++)
        {
            for (int c = 0; c < columns; c++)
            {
                sum[c] += to_float(dx[static_cast<size_t>(order[i]) * columns + c]);
            }
        }

        for (int c = 0; c < columns; c++)
        {
            G& at = expected[static_cast<size_t>(id) * columns + c];
            at = rounded<G>(std::fma(sum[c], scale, to_float(at)));
        }
    }

    order.resize(rows, -1);
    const std::string name = sizeof(T) == sizeof(G) ? Type<T>::Name : "bf16_f32";
    const std::string what =
        "sums of " + std::to_string(tokens) + " tokens of " + std::to_string(columns) + ", " + name + ", and the definition";
    Array<T> device_dx(dx);
    Array<int> device_ids(ids), device_order(order);
    const uint32_t units = divided_up(rows, 8) * divided_up(columns / pack_of<T>(columns), 32);
    if (starts.empty())
    {
        Array<G> dtable(old);
        kernel("embedding", "embedding_backward_" + name + any_rows<T>(columns), seed)
            .run({divided_up(units, 4)}, {128}, 0, device_ids.device(), device_order.device(), device_dx.device(), dtable.device(), scale,
                rows, columns);
        check_same(dtable.host(), expected, what);
    }

    for (size_t b = 0; b < starts.size(); b++)
    {
        const int first = starts[b], end = b + 1 < starts.size() ? starts[b + 1] : vocab;
        const long from = static_cast<long>(first) * columns, to = static_cast<long>(end) * columns;
        Array<G> dblock(std::vector<G>(old.begin() + from, old.begin() + to));
        kernel("embedding", "embedding_block_backward_" + name + any_rows<T>(columns), seed)
            .run({divided_up(units, 4)}, {128}, 0, device_ids.device(), device_order.device(), device_dx.device(), dblock.device(), scale,
                rows, first, end - first, columns);
        check_same(dblock.host(), std::vector<G>(expected.begin() + from, expected.begin() + to), what + ", block " + std::to_string(b));
    }
}

} // namespace

TEST(EmbeddingForwardGathersRows)
{
    for (int columns : {8, 48, 264, 4096, 8200, 1, 42, 1027})
    {
        check_forward<float>(9, columns);
        check_forward<Bf16>(9, columns);
    }
}

TEST(EmbeddingForwardOfBlocksIsThatOfTheWhole)
{
    for (int columns : {8, 48, 264, 8200, 42, 1027})
    {
        check_block_forward<float>(19, columns, {0, 21});
        check_block_forward<Bf16>(19, columns, {0, 21, 42});
        check_block_forward<Bf16>(19, columns, {0, 1, 49});
    }
}

TEST(EmbeddingAddsRowsToThoseThatAreThere)
{
    for (int columns : {8, 48, 264, 8200, 42, 1027})
    {
        check_add<float>(7, columns, 1);
        check_add<Bf16>(7, columns, 1);
        check_add<Bf16>(3, columns, 0.3f);
        check_add<float>(7, columns, 1.5f, {0, 11});
        check_add<Bf16>(9, columns, 0.3f, {0, 1, 29});
    }
}

TEST(EmbeddingScalesRowsAndTheirGradients)
{
    for (int columns : {8, 264, 42, 33})
    {
        check_forward<float>(9, columns, 12.5f);
        check_forward<Bf16>(9, columns, 0.3f);
        check_block_forward<float>(19, columns, {0, 21}, 12.5f);
        check_block_forward<Bf16>(19, columns, {0, 21}, 0.3f);
        check_backward<float, float>(129, 129, columns, 40, 1, {}, 12.5f);
        check_backward<Bf16, Bf16>(129, 129, columns, 40, 1, {}, 0.3f);
        check_backward<Bf16, float>(129, 129, columns, 40, 1, {0, 20}, 0.3f);
    }
}

TEST(EmbeddingBackwardSumsEachRowInOrder)
{
    for (int tokens : {1, 7, 8, 9, 32, 33, 64, 129, 400})
    {
        for (int vocab : {1, 3, 40, 5000})
        {
            check_backward<float, float>(tokens, tokens, 48, vocab);
            check_backward<Bf16, Bf16>(tokens, tokens, 264, vocab);
            check_backward<Bf16, float>(tokens, tokens, 64, vocab);
            check_backward<Bf16, float>(tokens, tokens, 42, vocab);
            check_backward<float, float>(tokens, tokens, 33, vocab);
        }
    }

    check_backward<Bf16, Bf16>(60, 60, 2056, 20);
    check_backward<float, float>(60, 41, 8, 20);
}

// The segment of id 7, longer than others, lies now in the middle of a block, now at either end of it, now in a block of its own.
TEST(EmbeddingBackwardOfBlocksHasTheBitsOfTheWhole)
{
    for (int tokens : {1, 7, 8, 9, 33, 64, 129, 400})
    {
        for (const std::vector<int>& starts : {std::vector<int>{0, 20}, {0, 7, 8}, {0, 3, 7}, {0, 8, 39}, {0}})
        {
            check_backward<float, float>(tokens, tokens, 48, 40, 1, starts);
            check_backward<Bf16, Bf16>(tokens, tokens, 264, 40, 1, starts);
            check_backward<Bf16, float>(tokens, tokens, 64, 40, 1, starts);
            check_backward<Bf16, Bf16>(tokens, tokens, 42, 40, 1, starts);
        }
    }

    // Ids that hardly occur, and rows that do not count.
    check_backward<Bf16, Bf16>(60, 60, 2056, 5000, 1, {0, 1024, 4096});
    check_backward<float, float>(60, 41, 8, 20, 1, {0, 9});
}

TEST(EmbeddingBackwardDoesNotDependOnTheOrderOfThreads)
{
    for (uint64_t seed : {5, 6, 7})
    {
        check_backward<Bf16, Bf16>(100, 100, 64, 9, seed);
        check_backward<Bf16, Bf16>(100, 100, 64, 9, seed, {0, 4, 8});
    }
}
