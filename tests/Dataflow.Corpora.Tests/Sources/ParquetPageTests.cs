using System.Text;

namespace Dataflow.Corpora.Tests;

/// <summary>Pages as other writers write them: with levels beside, dictionaries, and texts and numbers as differences.</summary>
public sealed class ParquetPageTests : IDisposable
{
    private readonly SourceFolder _folder = new();

    // The examples are those of https://github.com/apache/parquet-format/blob/master/Encodings.md.
    [Fact]
    public void Differences_are_added()
    {
        // 7, 5, 3, 1, 2, 3, 4, 5: first 7, least difference -2, the rest of them 0 0 0 3 3 3 3 in two bits.
        byte[] bytes = [128, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0, 0, 0];
        Assert.Equal([7, 5, 3, 1, 2, 3, 4, 5], Numbers(bytes));
        // 1 to 5: all differences are the least, and need no bits.
        Assert.Equal([1, 2, 3, 4, 5], Numbers([128, 1, 4, 5, 2, 2, 0, 0, 0, 0]));
    }

    [Fact]
    public void Many_differences_are_added()
    {
        var random = new Random(5);
        foreach (int count in new[] { 0, 1, 2, 33, 128, 129, 130, 1_000 })
        {
            long[] values =
                [.. Enumerable.Range(0, count).Select(_ => random.NextInt64(-1L << random.Next(1, 60), 1L << random.Next(1, 60)))];
            byte[] bytes = Deltas(values);
            var reader = new DeltaIntegers([9, 9, .. bytes, 8, 8, 8], 2, bytes.Length + 5, 10_000);
            Assert.Equal(values, Enumerable.Range(0, reader.Count).Select(_ => reader.Next()));
            Assert.Equal(bytes.Length + 2, reader.Behind);
        }
    }

    [Fact]
    public void Runs_and_packed_bits_follow_each_other()
    {
        // 0 to 7 in three bits, then 5 a hundred times.
        byte[] bytes = [3, 0x88, 0xC6, 0xFA, 200, 1, 5];
        var reader = new RunReader(bytes, 0, bytes.Length, 3);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, .. Enumerable.Repeat(5, 100)], Enumerable.Range(0, 108).Select(_ => reader.Next()));
        Assert.Throws<InvalidDataException>(() => reader.Next());
    }

    [Fact]
    public void Texts_behind_their_lengths_are_read()
    {
        string[] texts = [.. Enumerable.Range(0, 300).Select(i => new string((char)('a' + (i % 26)), i % 40))];
        byte[] page = [.. Deltas([.. texts.Select(t => (long)t.Length)]), .. Encoding.UTF8.GetBytes(string.Concat(texts))];
        Assert.Equal(texts, Read(6, texts.Length, page));
    }

    [Fact]
    public void Texts_that_begin_as_the_one_before_are_read()
    {
        string[] texts = ["axis", "axle", "babble", "babyhood", "", "b"];
        byte[] page =
        [
            .. Deltas([0, 2, 0, 3, 0, 0]), .. Deltas([4, 2, 6, 5, 0, 1]), .. "axislebabbleyhoodb"u8,
        ];
        Assert.Equal(texts, Read(7, texts.Length, page));
    }

    [Fact]
    public void Places_in_a_dictionary_are_read()
    {
        var dictionary = new ThriftBytes().Number(1, 2).Number(2, 12).Number(3, 12).Structure(7, d => d.Number(1, 2).Number(2, 0));
        var data = new ThriftBytes().Number(1, 0).Number(2, 3).Number(3, 3).Structure(5, d => d.Number(1, 5).Number(2, 8));
        string path =
            _folder.Write("a.parquet", ThriftBytes.File(5, (dictionary, [1, 0, 0, 0, 97, 3, 0, 0, 0, 98, 99, 100]), (data, [1, 3, 0x0A])));
        Assert.Equal(["a", "bcd", "a", "bcd", "a"], SourceFolder.ReadFromEverywhere(new(), path).Select(p => p.Text));
        var wrong = new ThriftBytes().Number(1, 0).Number(2, 3).Number(3, 3).Structure(5, d => d.Number(1, 5).Number(2, 8));
        Assert.Contains("a page has no dictionary", _folder.Refusal("a.parquet", ThriftBytes.File(5, (wrong, [1, 3, 0x0A]))));
    }

    [Fact]
    public void Levels_beside_the_values_are_read()
    {
        // Definitions: one run of 1 twice, one of 0 once; then lists of two, none and one, by repetitions 0 1 0 0 and definitions 1 1 0 1.
        byte[] nulls = [4, 1, 2, 0, 1, 0, 0, 0, 97, 1, 0, 0, 0, 98];
        string path = _folder.Write("a.parquet", ThriftBytes.File("text", 1, 3, 3, (Second(3, 0, 4, nulls.Length), nulls)));
        Assert.Equal(["a", "b"], SourceSet.Of([path]).Read().Take(2).Select(p => p.Text));
        Assert.Contains("row 3: text is null", SourceFolder.Refusal(path));
        byte[] lists = [3, 0x02, 3, 0x0B, 1, 0, 0, 0, 97, 1, 0, 0, 0, 98, 1, 0, 0, 0, 99];
        path = _folder.Write("b.parquet", ThriftBytes.File("chat", 2, 4, 3, (Second(4, 2, 2, lists.Length), lists)));
        string message = SourceFolder.Refusal(path, new SourceOptions { Field = "chat" });
        Assert.Contains("row 1: turn 1 of messages is text", message);
        using ParquetFile file = ParquetFile.Open(path);
        ParquetNode column = Assert.Single(file.Footer.Columns());
        var reader = new ColumnReader(file, column.Children[0], file.Footer.RowGroups([0])[0].Chunks[0], "chat");
        List<ParquetEntry> row = [];
        List<string> read = [];
        for (int i = 0; i < 3; i++)
        {
            reader.ReadRow(row, default);
            var json = new System.Buffers.ArrayBufferWriter<byte>();
            new RowWriter([column], [0]).Write(json, [row], default);
            read.Add(Encoding.UTF8.GetString(json.WrittenSpan));
        }

        Assert.Equal(["""{"chat":["a","b"]}""", """{"chat":[]}""", """{"chat":["c"]}"""], read);
    }

    [Fact]
    public void Snappy_is_decompressed()
    {
        byte[] target = new byte[21];
        byte[] stream = [21, 8, 97, 98, 99, 0x09, 3, 0x22, 6, 0, 240, 2, 100, 101, 102];
        Assert.Equal(21, Snappy.Decompress(stream, target));
        Assert.Equal("abcabcabcabcabcabcdef", Encoding.UTF8.GetString(target));
        for (int length = 0; length < stream.Length; length++) Assert.NotEqual(21, Snappy.Decompress(stream.AsSpan(0, length), target));
        Assert.Equal(-1, Snappy.Decompress([4, 0, 97, 0x09, 2], new byte[4]));
        Assert.Equal(-1, Snappy.Decompress([255, 255, 255, 255, 255, 255], target));
    }

    [Fact]
    public void Other_encodings_are_refused_by_name()
    {
        var page = new ThriftBytes().Number(1, 0).Number(2, 4).Number(3, 4).Structure(5, d => d.Number(1, 1).Number(2, 9));
        Assert.Contains("column text is written in an encoding that is not read here (SplitStreams)",
            _folder.Refusal("a.parquet", ThriftBytes.File(1, (page, new byte[4]))));
    }

    public void Dispose() => _folder.Dispose();

    private static ThriftBytes Second(int count, int repetitions, int definitions, int length) => new ThriftBytes()
        .Number(1, 3).Number(2, length).Number(3, length).Structure(8, d => d.Number(1, count).Number(2, 0).Number(3, count).Number(4, 0)
            .Number(5, definitions).Number(6, repetitions).Flag(7, false));

    /// <summary>Reads a page of the second version with one encoding.</summary>
    private IEnumerable<string> Read(int encoding, int count, byte[] page)
    {
        var header = new ThriftBytes().Number(1, 3).Number(2, page.Length).Number(3, page.Length)
            .Structure(
                8, d => d.Number(1, count).Number(2, 0).Number(3, count).Number(4, encoding).Number(5, 0).Number(6, 0).Flag(7, false));
        return SourceFolder.Read(new(), _folder.Write("a.parquet", ThriftBytes.File(count, (header, page)))).Select(p => p.Text);
    }

    private static IEnumerable<long> Numbers(byte[] bytes)
    {
        var reader = new DeltaIntegers(bytes, 0, bytes.Length, 100);
        return [.. Enumerable.Range(0, reader.Count).Select(_ => reader.Next())];
    }

    /// <summary>Blocks of 128 in 4 parts, each with as many bits as it needs.</summary>
    private static byte[] Deltas(long[] values)
    {
        List<byte> bytes = [];
        void Unsigned(ulong value)
        {
            for (; value >= 0x80; value >>= 7) bytes.Add((byte)(value | 0x80));
            bytes.Add((byte)value);
        }

        void Signed(long value) => Unsigned((ulong)((value << 1) ^ (value >> 63)));
        (ulong[] sizes, long first) = ([128, 4, (ulong)values.Length], values.Length > 0 ? values[0] : 0);
        foreach (ulong size in sizes) Unsigned(size);
        Signed(first);
        long[] deltas = [.. values.Skip(1).Zip(values, (next, last) => next - last)];
        foreach (long[] block in deltas.Chunk(128))
        {
            long least = block.Min();
            Signed(least);
            ulong[][] parts = [.. block.Select(d => (ulong)(d - least)).Chunk(32)];
            int[] widths = [.. parts.Select(p => 64 - (int)ulong.LeadingZeroCount(p.Max()))];
            for (int i = 0; i < 4; i++) bytes.Add((byte)(i < parts.Length ? widths[i] : 0));
            for (int i = 0; i < parts.Length; i++)
            {
                var packed = new byte[widths[i] * 4];
                for (int v = 0; v < parts[i].Length; v++)
                    for (int b = 0; b < widths[i]; b++)
                        packed[((v * widths[i]) + b) / 8] |= (byte)((int)((parts[i][v] >> b) & 1) << (((v * widths[i]) + b) % 8));
                bytes.AddRange(packed);
            }
        }

        return [.. bytes];
    }
}
