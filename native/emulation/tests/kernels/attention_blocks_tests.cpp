// attention_blocks: what comes between the calls of a fused attention that takes keys block by block.
#include "kernel_test.h"

namespace
{

struct Shape
{
    int tokens, heads, width;
};

// Two blocks after the one that begins: each element against float64, with what bf16 parts lose already in them.
void check_merge(const Shape& shape)
{
    Numbers numbers(shape.tokens);
    const size_t rows = static_cast<size_t>(shape.tokens) * shape.heads, count = rows * shape.width;
    Array<float> sums(count), lse(rows);
    std::vector<double> wanted(count), wanted_lse(rows);
    for (int block = 0; block < 3; block++)
    {
        const std::vector<Bf16> part = numbers.many<Bf16>(count);
        const std::vector<float> part_lse = numbers.many<float>(rows, block == 2 ? 90 : 3);
        Array<Bf16> given(part);
        Array<float> given_lse(part_lse);
        kernel("attention_blocks", "attention_blocks_merge").run({divided_up(rows, 8)}, {256}, 0, given.device(), given_lse.device(),
            sums.device(), lse.device(), shape.tokens, shape.heads, shape.width, block == 0 ? 1 : 0);
        for (size_t row = 0; row < rows; row++)
        {
            const size_t at = row % shape.heads * shape.tokens + row / shape.heads;
            const double old = block == 0 ? -INFINITY : wanted_lse[at];
            const double together = std::log(std::exp(old) + std::exp(static_cast<double>(part_lse[at])));
            for (int c = 0; c < shape.width; c++)
            {
                const size_t element = row * shape.width + c;
                const double before = block == 0 ? 0 : std::exp(old - together) * wanted[element];
                wanted[element] = before + std::exp(part_lse[at] - together) * to_float(part[element]);
            }

            wanted_lse[at] = together;
        }
    }

    // Exponents as large as 90 lose 90 times as much as numbers near 1.
    const std::vector<float> got = sums.host(), got_lse = lse.host();
    for (size_t i = 0; i < count; i++)
    {
        check_close(got[i], wanted[i], 1, 1000, "merged output " + std::to_string(i));
    }

    for (size_t i = 0; i < rows; i++)
    {
        check_close(got_lse[i], wanted_lse[i], 90, 4, "merged logsumexp " + std::to_string(i));
    }
}

} // namespace

TEST(AttentionBlocksAreMergedByTheirLogsumexps)
{
    for (const Shape& shape : {Shape{5, 3, 64}, Shape{17, 4, 128}, Shape{3, 2, 256}, Shape{9, 1, 72}})
    {
        check_merge(shape);
    }
}

TEST(AttentionBlocksBringStatisticsFromTheOrderOfCallsAndBack)
{
    const int calls = 2, sequences = 3, heads = 6, seqlen = 50, together = heads / calls;
    const std::vector<float> called = Numbers(1).many<float>(static_cast<size_t>(sequences) * heads * seqlen);
    std::vector<float> wanted(called.size());
    size_t at = 0;
    for (int call = 0; call < calls; call++)
    {
        for (int sequence = 0; sequence < sequences; sequence++)
        {
            for (int head = 0; head < together; head++)
            {
                for (int token = 0; token < seqlen; token++)
                {
                    const int row = call * together + head;
                    wanted[(static_cast<size_t>(row) * sequences + sequence) * seqlen + token] = called[at++];
                }
            }
        }
    }

    Array<float> from(called), ours(called.size()), back(called.size());
    const emulation::Kernel order = kernel("attention_blocks", "attention_blocks_statistics");
    const uint32_t blocks = divided_up(static_cast<int64_t>(called.size()), 256);
    order.run({blocks}, {256}, 0, from.device(), ours.device(), calls, sequences, heads, seqlen, 0);
    check_same(ours.host(), wanted, "statistics by head");
    order.run({blocks}, {256}, 0, ours.device(), back.device(), calls, sequences, heads, seqlen, 1);
    check_same(back.host(), called, "statistics by call");
}
