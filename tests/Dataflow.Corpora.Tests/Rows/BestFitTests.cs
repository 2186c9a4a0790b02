namespace Dataflow.Corpora.Tests.Rows;

/// <summary>Packing: against the rule written down plainly, and on lengths as texts have them.</summary>
public sealed class BestFitTests
{
    /// <summary>The lengths that texts have: log-normal with a median of 300 and sigma 1.2.</summary>
    internal static int[] TextLengths(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            return Math.Max(1, (int)(300 * Math.Exp(1.2 * normal)));
        })];
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 63)]
    [InlineData(3, 64)]
    [InlineData(4, 65)]
    [InlineData(5, 4096)]
    [InlineData(6, 4097)]
    [InlineData(7, 300_000)]
    public void Each_goes_into_the_fullest_row_that_takes_it(int seed, int capacity)
    {
        var random = new Random(seed);
        int[] lengths =
            [.. Enumerable.Range(0, 700).Select(_ => 1 + random.Next(random.Next(3) == 0 ? Math.Max(1, capacity / 7) : capacity))];
        int[] rowOf = new int[lengths.Length];

        int rows = BestFit.Pack(lengths, capacity, rowOf);

        var room = new List<int>();
        foreach (int i in Enumerable.Range(0, lengths.Length).OrderByDescending(i => lengths[i]))
        {
            int best = room.Where(r => r >= lengths[i]).DefaultIfEmpty(capacity).Min();
            int row = rowOf[i];
            if (!room.Contains(best) || row >= room.Count)
            {
                Assert.DoesNotContain(room, r => r >= lengths[i]);
                Assert.Equal(room.Count, row);
                room.Add(capacity);
            }

            Assert.Equal(Math.Min(best, room[row]), room[row]);
            room[row] -= lengths[i];
            Assert.True(room[row] >= 0);
        }

        Assert.Equal(room.Count, rows);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_hundred_thousand_texts_fill_their_rows(int seed)
    {
        const int Seqlen = 4096;
        var documents = new NumberedDocuments(TextLengths(100_000, seed));
        var settings = new RowSettings(Seqlen, (ulong)seed) { Overlong = Overlong.Split };

        long rows = 0, tokens = 0;
        for (int window = 0; DocumentWindow.Of(documents, settings, 0, window) is { } taken; window++)
        {
            var made = WindowRows.Of(documents, taken, settings);
            (rows, tokens) = (rows + made.Count, tokens + made.Counts.Tokens);
        }

        Assert.Equal(documents.Lengths.Sum(l => (long)l), tokens);
        Assert.InRange(tokens / (double)(rows * Seqlen), 0.98, 1);
    }

    [Fact]
    public void Windows_are_the_same_whoever_makes_them_in_whatever_order()
    {
        var documents = new NumberedDocuments(TextLengths(200_000, 9));
        var settings = new RowSettings(2048, 5);
        string Rows(long window)
        {
            var made = WindowRows.Of(documents, DocumentWindow.Of(documents, settings, 1, window)!, settings);
            return string.Join('|', Enumerable.Range(0, made.Count).Select(r => string.Join(',', made[r].ToArray())));
        }

        long[] windows = [0, 1, 2, 3];
        string[] one = [.. windows.Select(Rows)];
        string[] many = new string[windows.Length];
        Parallel.ForEach(windows.Reverse(), w => many[w] = Rows(w));
        Assert.Equal(one, many);
    }
}
