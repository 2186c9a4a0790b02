using System.Text;

namespace Dataflow.Training.Tests;

/// <summary>Token files and texts: their rows, and every way in which a file can be wrong.</summary>
public sealed class TokenSourceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Cases => Golden.Cases;

    public void Dispose() => _folder.Dispose();

    private static int[] Row(ITokenSource source, int row)
    {
        int[] ids = new int[source.RowLength];
        source.Read(row, ids);
        return ids;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Golden_tokens_are_read(string name)
    {
        var model = ModelFiles.LoadConfig(Golden.Folder(name));
        int seqlen = Golden.Expected(name, "seqlen");
        using var tokens = TokenFile.Open(Path.Combine(Golden.Folder(name), "tokens.bin"), seqlen, model.VocabSize);
        Assert.Equal(Golden.Expected(name, "sequences"), tokens.RowCount);
        Assert.Equal(seqlen + 1, tokens.RowLength);
        byte[] bytes = File.ReadAllBytes(Path.Combine(Golden.Folder(name), "tokens.bin"));
        int last = tokens.RowCount - 1;
        Assert.Equal(
            Enumerable.Range(0, seqlen + 1).Select(i => BitConverter.ToInt32(bytes, 4 * ((last * (seqlen + 1)) + i))),
            Row(tokens, last)
        );
        Assert.Equal(name == "llama-documents" ? [90, 1, 37] : null, tokens.Documents(Math.Min(1, last)));
    }

    [Fact]
    public void Random_rows_are_always_the_same_all_differ_and_every_id_occurs()
    {
        var tokens = new RandomTokens(rows: 3, seqlen: 999, vocabSize: 100);
        int[][] rows = [.. Enumerable.Range(0, tokens.RowCount).Select(r => Row(tokens, r))];
        Assert.Equal(rows, Enumerable.Range(0, 3).Select(r => Row(new RandomTokens(3, 999, 100), r)));

        // Of 1,000 places two random rows agree in 10, and an id out of 100 has 10: 30 is six standard deviations away. A row is no shift
        // of another.
        Assert.InRange(rows[0].Zip(rows[1]).Count(p => p.First == p.Second), 0, 30);
        Assert.InRange(rows[1].Zip(rows[0].Skip(1)).Count(p => p.First == p.Second), 0, 30);
        Assert.All(rows, row => Assert.All(Enumerable.Range(0, 100), id => Assert.InRange(row.Count(i => i == id), 1, 30)));
        Assert.All(rows, row => Assert.All(row, id => Assert.InRange(id, 0, 99)));
    }

    [Fact]
    public void Rows_are_consecutive_and_a_partial_one_at_the_end_is_left_out()
    {
        using var tokens = TokenFile.Open(_folder.PutIds("t.bin", [0, 1, 2, 3, 4, 5, 6, 999]), seqlen: 2, vocabSize: 7);
        Assert.Equal(2, tokens.RowCount);
        Assert.Equal([3, 4, 5], Row(tokens, 1));
        Assert.Null(tokens.Documents(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Row(tokens, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokens.Read(0, new int[2]));
    }

    [Fact]
    public void The_first_id_outside_the_vocabulary_is_named()
    {
        uint[] ids = new uint[600_000]; // more than one block of the check
        ids[599_990] = 300;
        ids[599_995] = 4_000_000_000;
        string path = _folder.PutIds("t.bin", ids);
        Assert.Equal(
            $"{path}: token 599990 has id 300, and the vocabulary has 300 ids (0 to 299); the file belongs to another tokenizer or is not "
                + $"a token file",
            UserErrors.Message(() => TokenFile.Open(path, 9, 300))
        );
        Assert.Contains(
            "token 599995 has id 4000000000, and",
            UserErrors.Message(() => TokenFile.Open(path, 9, 301)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void An_id_that_changes_while_in_use_is_noticed()
    {
        string path = _folder.PutIds("t.bin", [1, 2, 3]);
        using var tokens = TokenFile.Open(path, 2, 4);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.WriteByte(77);
        }

        Assert.Contains("token 0 has id 77", UserErrors.Message(() => Row(tokens, 0)), StringComparison.Ordinal);
    }

    [Fact]
    public void Unusable_token_files_are_refused()
    {
        Assert.Contains(
            "has 3 tokens, and one row of seqlen 3 needs 4",
            UserErrors.Message(() => TokenFile.Open(_folder.PutIds("t.bin", [1, 2, 3]), 3, 9)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "has 7 bytes",
            UserErrors.Message(() => TokenFile.Open(_folder.Put("o.bin", new byte[7]), 1, 9)),
            StringComparison.Ordinal
        );
        Assert.Contains("has 0 tokens", UserErrors.Message(() => TokenFile.Open(_folder.Put("e.bin", []), 1, 9)), StringComparison.Ordinal);
        Assert.Contains("is a folder", UserErrors.Message(() => TokenFile.Open(_folder.Root, 1, 9)), StringComparison.Ordinal);
        Assert.Contains("does not exist", UserErrors.Message(() => TokenFile.Open(_folder["none.bin"], 1, 9)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"rows\": [[1, 3], [4]]}", null)]
    [InlineData("{\"rows\": [[1, 3]]}", "describes 1 rows, and its token file has 2 of seqlen 4")]
    [InlineData("{\"rows\": [[1, 3], [4], [4]]}", "describes 3 rows, and its token file has 2 of seqlen 4")]
    [InlineData("{\"rows\": [[1, 3], [5]]}", "the documents of row 1 have 5 tokens together, and seqlen is 4")]
    [InlineData("{\"rows\": [[1, 3], []]}", "the documents of row 1 have 0 tokens together, and seqlen is 4")]
    [InlineData("{\"rows\": [[5, -1], [4]]}", "row 0 has a document of length -1")]
    [InlineData("{\"rows\": [[2147483647, 2147483647, 6], [4]]}", "the documents of row 0 have 4294967300 tokens together")]
    [InlineData("{\"rows\": [[4], [4.5]]}", "is not a list of documents")]
    [InlineData("{\"rows\": 3}", "is not a list of documents")]
    [InlineData("{}", "is not a list of documents")]
    [InlineData("[[1]]", "is not a list of documents")]
    [InlineData("{", "is not a list of documents")]
    public void Documents_must_fit_the_rows(string documents, string? fault)
    {
        string path = _folder.PutIds("t.bin", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        string beside = _folder.Put("documents.json", documents);
        if (fault is null)
        {
            using var tokens = TokenFile.Open(path, 4, 12);
            Assert.Equal([1, 3], tokens.Documents(0));
            return;
        }

        string message = UserErrors.Message(() => TokenFile.Open(path, 4, 12));
        Assert.StartsWith(beside, message, StringComparison.Ordinal);
        Assert.Contains(fault, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_texts_bytes_are_its_ids()
    {
        string text = string.Concat(Enumerable.Repeat("aß語😀", 1000));
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        using var source = ByteText.Open(_folder.Put("t.txt", bytes), seqlen: 4500, vocabSize: 256);
        Assert.Equal(2, source.RowCount);
        Assert.Equal(bytes[4501..9002].Select(b => (int)b), Row(source, 1));
        Assert.Null(source.Documents(0));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Characters_across_blocks_of_the_check_are_whole(int shift)
    {
        byte[] bytes = [.. new byte[shift], .. Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("😀", 150_000)))];
        using (ByteText.Open(_folder.Put("t.txt", bytes), 10, 256))
        {
        }

        bytes[500_002] = (byte)'x';
        int expected = 500_002 - ((500_002 - shift) % 4); // where the spoilt character begins, unless the change is its first byte
        string message = UserErrors.Message(() => ByteText.Open(_folder.Put("t.txt", bytes), 10, 256));
        Assert.Contains(
            $"is not UTF-8 text: byte {((500_002 - shift) % 4 == 0 ? 500_003 : expected)} (0x",
            message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(new byte[] { 65, 66, 0xFF, 67 }, 2)]
    [InlineData(new byte[] { 65, 66, 67, 0xC3 }, 3)] // ends within a character
    [InlineData(new byte[] { 65, 0xC0, 0x80, 67 }, 1)] // overlong
    [InlineData(new byte[] { 0xED, 0xA0, 0x80, 67 }, 0)] // half of a surrogate pair
    public void The_first_byte_that_is_no_text_is_named(byte[] bytes, int at)
    {
        string path = _folder.Put("t.txt", bytes);
        Assert.Equal(
            $"{path} is not UTF-8 text: byte {at} (0x{bytes[at]:X2}) fits no character; convert it, or give a token file (.bin)",
            UserErrors.Message(() => ByteText.Open(path, 2, 256)));
    }

    [Fact]
    public void Unusable_texts_are_refused()
    {
        string path = _folder.Put("t.txt", "abc");
        Assert.Contains(
            "has 3 tokens, and one row of seqlen 3 needs 4",
            UserErrors.Message(() => ByteText.Open(path, 3, 256)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "needs a vocabulary of at least 256 ids, and the model has 255",
            UserErrors.Message(() => ByteText.Open(path, 2, 255)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_ending_says_how_a_file_is_read()
    {
        Assert.IsType<ByteText>(TokenSources.Open(_folder.Put("t.txt", "abcdefgh"), 1, 256));
        Assert.IsType<TokenFile>(TokenSources.Open(_folder.PutIds("tokens.bin", [1, 2]), 1, 256));
        Assert.IsType<TokenFile>(TokenSources.Open(_folder.Root, 1, 256));
    }
}
