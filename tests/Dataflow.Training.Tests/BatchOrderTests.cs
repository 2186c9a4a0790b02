namespace Dataflow.Training.Tests;

/// <summary>Every epoch is a permutation, drawn from the seed, the same for ever.</summary>
public class BatchOrderTests
{
    private static int[] Epoch(BatchOrder order, int rows, long epoch) =>
        [.. Enumerable.Range(0, rows).Select(i => order.RowAt((epoch * rows) + i))];

    [Theory]
    [InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(16), InlineData(17), InlineData(1000), InlineData(4097)]
    public void Every_epoch_has_every_row_once(int rows)
    {
        var order = new BatchOrder(rows, rows - 1, 42);
        foreach (long epoch in new[] { 0L, 1, 2, 1_000_000_007 })
        {
            Assert.Equal(Enumerable.Range(0, rows), Epoch(order, rows, epoch).Order());
        }
    }

    [Fact]
    public void Epochs_and_seeds_have_orders_of_their_own()
    {
        var order = new BatchOrder(1000, 8, 1);
        int[] first = Epoch(order, 1000, 0);
        Assert.Equal(first, Epoch(new BatchOrder(1000, 16, 1), 1000, 0));
        foreach (int[] other in new[] { Epoch(order, 1000, 1), Epoch(new BatchOrder(1000, 8, 2), 1000, 0), [.. Enumerable.Range(0, 1000)] })
        {
            Assert.InRange(first.Zip(other).Count(p => p.First == p.Second), 0, 10);
        }
    }

    [Fact]
    public void Rows_come_at_every_position_about_equally_often()
    {
        const int rows = 5;
        int[,] seen = new int[rows, rows];
        var order = new BatchOrder(rows, 1, 3);
        for (int n = 0; n < 5000 * rows; n++)
        {
            seen[n % rows, order.RowAt(n)]++;
        }

        Assert.All(seen.Cast<int>(), count => Assert.InRange(count, 850, 1150));
    }

    [Theory]
    [InlineData(1, 1), InlineData(3, 3), InlineData(3, 8)]
    public void A_step_that_takes_all_rows_sees_them_in_file_order(int rows, int rowsPerStep)
    {
        var order = new BatchOrder(rows, rowsPerStep, 9);
        Assert.Equal(Enumerable.Range(0, 20).Select(n => n % rows), Enumerable.Range(0, 20).Select(n => order.RowAt(n)));
    }

    [Fact]
    public void The_order_never_changes() =>
        Assert.Equal( // from a second implementation, in Python
            [5, 8, 1, 2, 6, 7, 9, 0, 4, 3, 9, 6, 2, 3, 4, 8, 0, 5, 1, 7],
            Epoch(new BatchOrder(10, 2, 1234), 10, 0).Concat(Epoch(new BatchOrder(10, 2, 1234), 10, 3)));

    [Fact]
    public void The_largest_sources_and_the_last_steps_are_possible()
    {
        Assert.InRange(new BatchOrder(int.MaxValue, 1, 0).RowAt(long.MaxValue), 0, int.MaxValue - 1);
        Assert.Equal(0, new BatchOrder(1, 1, 0).RowAt(long.MaxValue));
    }
}
