namespace Dataflow.Generation.Tests;

/// <summary>Sequences have rows of their own, and leave them to others.</summary>
public class CacheRowsTests
{
    [Fact]
    public void Sequences_never_overlap()
    {
        var random = new Random(5);
        var rows = new CacheRows(4096);
        var open = new List<CachedSequence>();
        for (int i = 0; i < 2000; i++)
        {
            if (open.Count > 0 && random.Next(2) == 0)
            {
                int gone = random.Next(open.Count);
                rows.Free(open[gone]);
                open.RemoveAt(gone);
            }
            else if (rows.Take(1 + random.Next(300), 1000) is { } sequence)
            {
                open.Add(sequence);
            }

            int end = 0;
            foreach (var sequence in open.OrderBy(s => s.FirstRow))
            {
                Assert.True(sequence.FirstRow >= end);
                end = sequence.FirstRow + sequence.Capacity;
            }

            Assert.True(end <= 4096);
        }
    }

    [Fact]
    public void With_states_every_sequence_has_as_many_rows_and_begins_anew_when_tokens_are_taken_back()
    {
        var rows = new CacheRows(96, each: 32);
        CachedSequence[] open = [.. new[] { 3, 32, 7 }.Select(capacity => rows.Take(capacity, 32)!)];
        Assert.Equal([0, 32, 64], open.Select(s => s.FirstRow));
        Assert.Null(rows.Take(1, 1));
        rows.Free(open[1]);
        Assert.Null(rows.Take(33, 33));
        Assert.Equal(32, rows.Take(1, 1)!.FirstRow);

        open[0].Count = 3;
        Assert.Equal(3, open[0].Rewind(3));
        Assert.Equal(0, open[0].Rewind(2));
        Assert.Equal(0, open[0].Count);
        var kept = new CacheRows(96).Take(3, 3)!;
        kept.Count = 3;
        Assert.Equal(2, kept.Rewind(2));
    }

    [Fact]
    public void Where_no_gap_is_large_enough_there_is_no_room()
    {
        var rows = new CacheRows(96);
        var first = rows.Take(32, 32)!;
        Assert.NotNull(rows.Take(64, 64));
        Assert.Null(rows.Take(1, 1));
        rows.Free(first);
        Assert.Null(rows.Take(33, 33));
        Assert.Equal(0, rows.Take(20, 20)!.FirstRow);
    }
}
