namespace Dataflow.Model.Tests;

public class VocabularyRowsTests
{
    // 320 / 2 = 160, rounded up 256; 320 / 3 = 107, 128; 257 / 3 = 86, 128; 128256 / 8 = 16032, 16128; 128 / 2 = 64, 128: one block.
    [Theory]
    [InlineData(320, 1, new[] { 320 })]
    [InlineData(320, 2, new[] { 256, 64 })]
    [InlineData(320, 3, new[] { 128, 128, 64 })]
    [InlineData(320, 4, new[] { 128, 128, 64 })]
    [InlineData(257, 3, new[] { 128, 128, 1 })]
    [InlineData(128256, 8, new[] { 16128, 16128, 16128, 16128, 16128, 16128, 16128, 15360 })]
    [InlineData(128, 2, new[] { 128 })]
    public void Blocks_are_equal_but_the_last(int vocabulary, int wanted, int[] rows)
    {
        var cut = new VocabularyRows(vocabulary, wanted);
        Assert.Equal(rows, cut.Blocks.Select(cut.RowsOf));
        Assert.Equal(rows.Length > 1, cut.AreCut);
    }

    [Fact]
    public void Every_row_is_in_one_block_and_the_count_asks_for_itself()
    {
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            var cut = new VocabularyRows(random.Next(1, 5000), random.Next(1, 40));
            int next = 0;
            foreach (var block in cut.Blocks)
            {
                Assert.Equal(next, cut.First(block));
                Assert.InRange(cut.RowsOf(block), 1, cut.PerBlock);
                next += cut.RowsOf(block);
            }

            Assert.Equal(cut.VocabSize, next);
            Assert.Equal(
                cut.Blocks.Select(cut.RowsOf),
                (cut with { Wanted = cut.Count }) is var again ? again.Blocks.Select(again.RowsOf) : []
            );
        }
    }
}
