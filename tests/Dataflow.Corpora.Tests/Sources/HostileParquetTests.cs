using Dataflow.Model;
using Parquet;

namespace Dataflow.Corpora.Tests;

/// <summary>Parquet files that are damaged, cut short or made to harm: a sentence, in little time and memory.</summary>
public sealed class HostileParquetTests : IDisposable
{
    private readonly SourceFolder _folder = new();

    [Fact]
    public void A_file_that_is_cut_short_is_refused()
    {
        byte[] bytes = Texts(CompressionMethod.Snappy);
        for (int length = 0; length < bytes.Length; length += 97)
            Assert.Matches("is cut short|is not Parquet", _folder.Refusal("a.parquet", bytes[..length]));
    }

    [Theory]
    [InlineData(CompressionMethod.None, 1)]
    [InlineData(CompressionMethod.Snappy, 2)]
    [InlineData(CompressionMethod.Gzip, 3)]
    [InlineData(CompressionMethod.Zstd, 4)]
    [InlineData(CompressionMethod.Lz4Raw, 5)]
    [InlineData(CompressionMethod.Brotli, 6)]
    public void Damage_ends_in_a_sentence_or_is_not_seen(CompressionMethod method, int seed)
    {
        var random = new Random(seed);
        foreach (byte[] whole in new[] { Texts(method), Chats(method) })
        {
            for (int i = 0; i < 250; i++)
            {
                byte[] bytes = [.. whole];
                for (int flips = random.Next(1, 4); flips > 0; flips--) bytes[random.Next(4, bytes.Length - 4)] = (byte)random.Next(256);
                string path = _folder.Write("a.parquet", bytes);
                try
                {
                    Assert.InRange(SourceSet.Of([path]).Read().Take(5_000).Count(), 0, 5_000);
                }
                catch (UserErrorException e)
                {
                    Assert.Contains("a.parquet", e.Message);
                }
            }
        }
    }

    [Fact]
    public void What_is_encrypted_is_refused()
    {
        byte[] bytes = Texts(CompressionMethod.None);
        bytes[^1] = (byte)'E';
        Assert.Contains("is encrypted", _folder.Refusal("a.parquet", bytes));
    }

    [Fact]
    public void A_file_that_is_compressed_as_a_whole_is_refused() => Assert.Contains(
        "is compressed as a whole", _folder.Refusal("a.parquet.gz", SourceFolder.Gzip(Texts(CompressionMethod.None))));

    [Fact]
    public void Metadata_that_are_said_to_be_long_or_deep_or_many_are_refused()
    {
        byte[] body = [.. "PAR1"u8, .. new byte[100]];
        Assert.Contains("its metadata are said to have 4294967295 bytes",
            _folder.Refusal("a.parquet", ThriftBytes.WithFooter(body, [0], uint.MaxValue)));
        byte[] deep = new byte[1_000_000];
        deep.AsSpan().Fill(0x1C);
        Assert.Contains("its metadata make no sense", _folder.Refusal("a.parquet", ThriftBytes.WithFooter(body, deep)));
        byte[] lists = new byte[1_000_000];
        lists.AsSpan().Fill(0x19);
        Assert.Contains("its metadata make no sense", _folder.Refusal("a.parquet", ThriftBytes.WithFooter(body, lists)));
        byte[] many = new ThriftBytes().Number(1, 1).Raw(0x19, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07).Bytes;
        Assert.Contains("its metadata end too early", _folder.Refusal("a.parquet", ThriftBytes.WithFooter(body, many)));
    }

    [Fact]
    public void Pages_of_absurd_sizes_are_refused()
    {
        Assert.Contains("has a page of 2000000000 bytes",
            _folder.Refusal("a.parquet", ThriftBytes.File(1, (Page(2_000_000_000, 10, 1), new byte[10]))));
        Assert.Contains("end outside of the file",
            _folder.Refusal("a.parquet", ThriftBytes.File(1, (Page(100_000_000, 100_000_000, 1), new byte[10]))));
        Assert.Contains("make no sense", _folder.Refusal("a.parquet", ThriftBytes.File(1, (Page(-1, 10, 1), new byte[10]))));
        Assert.Contains("ends before its values do",
            _folder.Refusal("a.parquet", ThriftBytes.File(2_000_000_000, (Page(10, 10, 2_000_000_000), new byte[10]))));
        Assert.Contains("is damaged Parquet", _folder.Refusal("a.parquet", ThriftBytes.File(1)));
    }

    [Fact]
    public void A_checksum_that_is_another_is_refused() => Assert.Contains(
        "a page has another checksum", _folder.Refusal("a.parquet", ThriftBytes.File(1, (
            new ThriftBytes().Number(1, 0).Number(2, 5).Number(3, 5).Number(4, 77).Structure(
                5, d => d.Number(1, 1).Number(2, 0)), [1, 0, 0, 0, 97]))));

    public void Dispose() => _folder.Dispose();

    private static ThriftBytes Page(int length, int compressed, int values) =>
        new ThriftBytes().Number(1, 0).Number(2, length).Number(3, compressed).Structure(5, d => d.Number(1, values).Number(2, 0));

    private static byte[] Texts(CompressionMethod method) => ParquetSourceTests.Bytes(
        Enumerable.Range(0, 200).Select(
            i => new TextRow { Id = i, Text = $"text {i % 50}" }), new ParquetOptions { CompressionMethod = method });

    private static byte[] Chats(CompressionMethod method) => ParquetSourceTests.Bytes(
        Enumerable.Range(0, 60).Select(i => new ChatRow
        {
            Messages = [new() { Role = "user", Content = $"{i}", Calls = [new() { Name = "f", Ids = [i, i] }] },
                new() { Role = "assistant" }],
        }),
        new ParquetOptions { CompressionMethod = method });
}
