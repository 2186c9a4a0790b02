namespace Dataflow.Training.Tests;

/// <summary>Tokens at a file's end that do not fill a row: left out and counted, or a row of their own.</summary>
public sealed class ShortRowTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int[] Row(ITokenSource source, int row)
    {
        int[] ids = [.. Enumerable.Repeat(-7, source.RowLength)];
        source.Read(row, ids);
        return ids;
    }

    [Theory]
    [InlineData("t.bin")]
    [InlineData("t.txt")]
    public void What_is_left_is_a_row_if_it_has_a_target(string name)
    {
        string Put(int count) => name == "t.txt"
            ? _folder.Put(name, [.. Enumerable.Range(40, count).Select(i => (byte)i)])
            : _folder.PutIds(name, Enumerable.Range(40, count).Select(i => (uint)i));
        (int Rows, long LeftOver) Cut(int count, LastRow last)
        {
            var source = TokenSources.Open(Put(count), 3, 256, last);
            using var file = (IDisposable)source;
            return (source.RowCount, source.LeftOver);
        }

        Assert.Equal((2, 0), Cut(8, LastRow.Whole));
        Assert.Equal((2, 3), Cut(11, LastRow.Whole));
        Assert.Equal((2, 0), Cut(8, LastRow.Short));
        Assert.Equal((2, 1), Cut(9, LastRow.Short)); // nothing follows the one token
        Assert.Equal((3, 0), Cut(10, LastRow.Short));
        Assert.Equal((1, 0), Cut(3, LastRow.Short));
        Assert.Contains(
            "has 1 tokens, and there is nothing to predict in fewer than 2",
            UserErrors.Message(() => Cut(1, LastRow.Short)),
            StringComparison.Ordinal
        );

        var tokens = TokenSources.Open(Put(11), 3, 256, LastRow.Short);
        using var open = (IDisposable)tokens;
        Assert.Equal((3, 3, 2), (tokens.InputsOf(0), tokens.InputsOf(1), tokens.InputsOf(2)));
        Assert.Equal([44, 45, 46, 47], Row(tokens, 1));
        Assert.Equal([48, 49, 50, 0], Row(tokens, 2));
    }

    [Fact]
    public void The_inputs_that_it_lacks_do_not_count_and_see_only_themselves()
    {
        using var tokens = TokenFile.Open(_folder.PutIds("t.bin", [5, 6, 7, 8, 9, 1, 2, 3]), 4, 10, LastRow.Short);
        int[] tables = new int[4 * 8];
        Assert.Equal(4 + 2, new TokenTableWriter(4, 8, 1).Write(tokens, [0, 1], tables, 1));
        Assert.Equal([5, 6, 7, 8, 1, 2, 0, 0], tables[..8]);
        Assert.Equal([6, 7, 8, 9, 2, 3, -1, -1], tables[8..16]);
        Assert.Equal([0, 0, 0, 0, 4, 4, 6, 7], tables[16..24]);
    }

    [Theory]
    [InlineData("{\"rows\": [[1, 3]]}", LastRow.Short, 1, 3)] // its documents are not known
    [InlineData("{\"rows\": [[1, 3], [1, 1]]}", LastRow.Short, 2, 0)]
    [InlineData("{\"rows\": [[1, 3], [1, 1]]}", LastRow.Whole, 1, 3)]
    [InlineData("{\"rows\": [[1, 3], [2, 1]]}", LastRow.Short, 0, 0)]
    [InlineData("{\"rows\": [[1, 3], [3, -1]]}", LastRow.Short, 0, 0)]
    public void Documents_may_describe_it(string documents, LastRow last, int rows, long leftOver)
    {
        string path = _folder.PutIds("t.bin", [5, 6, 7, 8, 9, 1, 2, 3]);
        _folder.Put("documents.json", documents);
        if (rows == 0)
        {
            Assert.Contains(
                "describes 2 rows, and its token file has 1 of seqlen 4",
                UserErrors.Message(() => TokenFile.Open(path, 4, 10, last)),
                StringComparison.Ordinal
            );
            return;
        }

        using var tokens = TokenFile.Open(path, 4, 10, last);
        Assert.Equal((rows, leftOver), (tokens.RowCount, tokens.LeftOver));
        Assert.Equal(rows == 2 ? [1, 1] : [1, 3], tokens.Documents(rows - 1));
    }
}
