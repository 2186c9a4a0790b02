using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora.Tests.Rows;

/// <summary>Rows of documents: which there are, in which order, and going on from a position.</summary>
public sealed class DocumentFeedTests
{
    private const int Seqlen = 100;

    private static readonly int[] s_lengths = [.. BestFitTests.TextLengths(2000, 4).Select(l => 1 + (l / 10))];

    public static TheoryData<RowCut, Shuffle, Overlong> Ways => new(
        from cut in Enum.GetValues<RowCut>()
        from shuffle in Enum.GetValues<Shuffle>()
        from overlong in Enum.GetValues<Overlong>()
        select (cut, shuffle, overlong));

    [Theory]
    [MemberData(nameof(Ways))]
    public void An_epoch_has_each_token_once(RowCut cut, Shuffle shuffle, Overlong overlong)
    {
        var documents = new NumberedDocuments(s_lengths);
        var settings = new RowSettings(Seqlen, 3) { Cut = cut, Shuffle = shuffle, Overlong = overlong };
        var feed = new DocumentFeed(documents, settings, int.MaxValue);
        var (rows, areAll, counts) = feed.FirstWindow();
        Assert.True(areAll);

        for (int epoch = 0; epoch < 2; epoch++)
        {
            var seen = new List<int>();
            var epochRows = feed.Next(rows);
            for (int r = 0; r < rows; r++)
            {
                var (ids, lengths) = Row(epochRows, r);
                seen.AddRange(ids);
                Assert.Equal(cut == RowCut.Packed, lengths is not null);
                int at = 0;
                foreach (int length in lengths ?? [])
                {
                    // One document, in its order.
                    Assert.Equal(Enumerable.Range(ids[at], length), ids.Skip(at).Take(length));
                    at += length;
                }
            }

            var whole = s_lengths.SelectMany((length, d) => Enumerable.Range(0, Kept(length, cut, overlong))
                .Select(t => NumberedDocuments.Id(d, t))).ToList();
            Assert.Equal(counts.Tokens, seen.Count);
            Assert.Equal(seen.Count, seen.Distinct().Count());
            Assert.Subset(whole.ToHashSet(), seen.ToHashSet());
            Assert.InRange(whole.Count - seen.Count, 0, cut == RowCut.Stream ? Seqlen : 0);
            Assert.StartsWith($"{epoch}:0:{rows}", feed.Position, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Without_shuffling_a_stream_is_the_documents_one_after_the_other()
    {
        var documents = new NumberedDocuments(s_lengths);
        var feed = new DocumentFeed(
            documents, new RowSettings(Seqlen, 1) { Cut = RowCut.Stream, Shuffle = Shuffle.None }, int.MaxValue);
        var all = s_lengths.SelectMany((length, d) => Enumerable.Range(0, length).Select(t => NumberedDocuments.Id(d, t)));
        var rows = feed.Next(40);
        Assert.Equal(all.Take(40 * (Seqlen + 1)), Enumerable.Range(0, 40).SelectMany(r => Row(rows, r).Ids));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_feed_goes_on_from_any_position(RowCut cut, Shuffle shuffle, Overlong overlong)
    {
        var settings = new RowSettings(Seqlen, 8) { Cut = cut, Shuffle = shuffle, Overlong = overlong, HeldBack = 0.1 };
        var documents = new NumberedDocuments(s_lengths);
        var first = new DocumentFeed(documents, settings, int.MaxValue);
        int rows = first.FirstWindow().Rows;
        for (int step = 0; step < (2 * rows / 37) + 2; step++)
        {
            var second = new DocumentFeed(documents, settings, int.MaxValue);
            second.Seek(first.Position);
            var (mine, theirs) = (first.Next(37), second.Next(37));
            Assert.All(Enumerable.Range(0, 37), r => Assert.Equal(Row(mine, r).Ids, Row(theirs, r).Ids));
            Assert.Equal(first.Position, second.Position);
        }
    }

    [Fact]
    public void Orders_differ_by_seed_and_epoch()
    {
        var documents = new NumberedDocuments(s_lengths);
        List<int[]> Epochs(ulong seed)
        {
            var feed = new DocumentFeed(documents, new RowSettings(Seqlen, seed), int.MaxValue);
            return [.. Enumerable.Range(0, 3).Select(_ =>
            {
                feed.Seek($"{_}:0:0");
                var rows = feed.Next(20);
                return Enumerable.Range(0, 20).SelectMany(r => Row(rows, r).Ids).ToArray();
            })];
        }

        var all = Epochs(1).Concat(Epochs(2)).ToList();
        Assert.Equal(Epochs(1), Epochs(1));
        Assert.Equal(all.Count, all.Select(a => string.Join(',', a)).Distinct().Count());
    }

    [Fact]
    public void What_is_held_back_is_trained_by_no_seed_and_measured_whole()
    {
        var documents = new NumberedDocuments(s_lengths);
        var settings = new RowSettings(Seqlen, 1) { HeldBack = 0.05 };
        var held = new DocumentRows(documents, settings, int.MaxValue, heldBack: true);
        var measured = Enumerable.Range(0, held.RowCount).SelectMany(r => Row(held, r).Ids)
            .Select(id => id / NumberedDocuments.Stride).ToHashSet();
        Assert.InRange(measured.Count, 60, 140);
        Assert.Equal(measured.Sum(d => (long)s_lengths[d]), held.Counts.Tokens);

        foreach (ulong seed in new ulong[] { 1, 2 })
        {
            var feed = new DocumentFeed(documents, settings with { Seed = seed }, int.MaxValue);
            int rows = feed.FirstWindow().Rows;
            var epoch = feed.Next(rows);
            var trained = Enumerable.Range(0, rows).SelectMany(r => Row(epoch, r).Ids).Select(id => id / NumberedDocuments.Stride)
                .ToHashSet();
            Assert.Empty(trained.Intersect(measured));
            Assert.Equal(s_lengths.Length, trained.Count + measured.Count);
        }
    }

    [Fact]
    public void Many_windows_are_taken_in_turn()
    {
        int[] lengths = [.. Enumerable.Range(0, 150_000).Select(i => 1 + (i % 7))];
        var documents = new NumberedDocuments(lengths, stride: 8);
        foreach (var shuffle in Enum.GetValues<Shuffle>())
        {
            var feed = new DocumentFeed(documents, new RowSettings(50, 2) { Shuffle = shuffle }, int.MaxValue);
            var seen = new HashSet<int>();
            while (feed.Epoch == 1)
            {
                var rows = feed.Next(1);
                if (feed.Epoch == 1)
                {
                    var ids = Row(rows, 0).Ids;
                    Assert.All(ids, id => Assert.True(seen.Add(id)));
                }
            }

            Assert.Equal(lengths.Sum(), seen.Count);
        }
    }

    [Fact]
    public void A_mixture_keeps_its_shares_and_goes_on_from_any_position()
    {
        var settings = new RowSettings(Seqlen, 6);
        int[] others = [.. s_lengths.Take(300).Where(l => l is not (97 or 50))];
        MixedFeed Mixture() => new(
            [
                (new DocumentFeed(new NumberedDocuments(others), settings, int.MaxValue), 7),
                (new DocumentFeed(new NumberedDocuments([.. Enumerable.Repeat(50, 500)]), settings, int.MaxValue), 2),
                (new DocumentFeed(new NumberedDocuments([.. Enumerable.Repeat(97, 10)]), settings, int.MaxValue), 1),
            ],
            settings);
        var mixture = Mixture();
        int[] counts = new int[3];
        for (int row = 1; row <= 1000; row++)
        {
            if (row % 97 == 0)
            {
                var other = Mixture();
                other.Seek(mixture.Position);
                mixture = other;
            }

            int[] lengths = [.. Row(mixture.Next(1), 0).Lengths!];
            counts[lengths is [97] ? 2 : lengths is [50, 50] ? 1 : 0]++;
            Assert.InRange(counts[2], (row / 10.0) - 1, (row / 10.0) + 1);
            Assert.InRange(counts[1], (row / 5.0) - 1, (row / 5.0) + 1);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("1:2")]
    [InlineData("a:b:c")]
    [InlineData("0:0:99999999999")]
    [InlineData("-1:0:0")]
    public void A_position_that_is_none_is_refused(string position) => Assert.Throws<UserErrorException>(
        () => new DocumentFeed(new NumberedDocuments([5]), new RowSettings(Seqlen, 1), int.MaxValue).Seek(position));

    [Fact]
    public void Documents_that_make_no_row_are_refused()
    {
        var feed = new DocumentFeed(
            new NumberedDocuments([200, 300]), new RowSettings(Seqlen, 1) { Overlong = Overlong.Drop }, int.MaxValue);
        Assert.Contains("makes no row", Assert.Throws<UserErrorException>(() => feed.Next(1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_id_beyond_the_vocabulary_is_refused() => Assert.Contains(
        "another tokenizer's",
        Assert.Throws<UserErrorException>(
            () => new DocumentFeed(new NumberedDocuments([5]), new RowSettings(Seqlen, 1), 3).Next(1)).Message,
        StringComparison.Ordinal);

    private static (List<int> Ids, IReadOnlyList<int>? Lengths) Row(ITokenSource rows, int row)
    {
        int[] ids = new int[rows.RowLength];
        rows.Read(row, ids);
        var lengths = rows.Documents(row);
        int used = lengths is null ? rows.InputsOf(row) + 1 : rows.InputsOf(row);
        Assert.True(lengths is null || lengths.Sum() == rows.InputsOf(row));
        Assert.All(ids[used..], id => Assert.Equal(0, id));
        return ([.. ids[..used]], lengths);
    }

    private static int Kept(int length, RowCut cut, Overlong overlong) =>
        cut == RowCut.Stream || length <= Seqlen || overlong == Overlong.Split ? length
        : overlong == Overlong.Truncate ? Seqlen : 0;
}
