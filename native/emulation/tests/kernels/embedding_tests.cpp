#include <algorithm>

#include "kernel_test.h"

namespace
{

template <typename T> void check_forward(int rows, int columns)
{
    Numbers numbers(columns);
    const int vocab = 50;
    const std::vector<T> table = numbers.many<T>(static_cast<size_t>(vocab) * columns);
    std::vector<int> ids(rows);
    std::vector<T> expected;
    for (int& id : ids)
    {
        id = numbers.below(vocab);
        expected.insert(expected.end(), table.begin() + static_cast<long>(id) * columns, table.begin() + static_cast<long>(id + 1) * columns);
    }

    Array<T> device_table(table), x(expected.size());
    Array<int> device_ids(ids);
    kernel("embedding", std::string("embedding_forward_") + Type<T>::Name).run({static_cast<uint32_t>(rows)},
        {block_for(divided_up(columns / PackCount<T>, 2), 32, 512)}, 0, device_ids.device(), device_table.device(), x.device(), columns);
    check_same(x.host(), expected, "gathered rows of " + std::to_string(columns));
}

// Bit for bit: the order of the sums is the definition.
template <typename T, typename G> void check_backward(int rows, int tokens, int columns, int vocab, uint64_t seed = 1)
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
            at = rounded<G>(to_float(at) + sum[c]);
        }
    }

    const std::string name = sizeof(T) == sizeof(G) ? Type<T>::Name : "bf16_f32";
    Array<T> device_dx(dx);
    Array<G> dtable(old);
    Array<int> device_ids(ids), device_order(order);
    const uint32_t units = divided_up(tokens, 8) * divided_up(columns / PackCount<T>, 32);
    kernel("embedding", "embedding_backward_" + name, seed).run({divided_up(units, 4)}, {128}, 0, device_ids.device(), device_order.device(),
        device_dx.device(), dtable.device(), tokens, columns);
    check_same(dtable.host(), expected, "sums of " + std::to_string(tokens) + " tokens of " + std::to_string(columns) + ", " + name + ", and the definition");
}

} // namespace

TEST(EmbeddingForwardGathersRows)
{
    for (int columns : {8, 48, 264, 4096, 8200})
    {
        check_forward<float>(9, columns);
        check_forward<Bf16>(9, columns);
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
        }
    }

    check_backward<Bf16, Bf16>(60, 60, 2056, 20);
    check_backward<float, float>(60, 41, 8, 20);
}

TEST(EmbeddingBackwardDoesNotDependOnTheOrderOfThreads)
{
    for (uint64_t seed : {5, 6, 7})
    {
        check_backward<Bf16, Bf16>(100, 100, 64, 9, seed);
    }
}
