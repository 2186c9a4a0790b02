using System.IO.Compression;
using System.Text;

namespace Dataflow.Corpora.Tests;

/// <summary>Compressed sources: told by their bytes, whole or refused.</summary>
public sealed class CompressedSourceTests : IDisposable
{
    private readonly SourceFolder _folder = new();
    private readonly byte[] _bytes =
        Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Range(0, 20_000).Select(i => $"line {i * 7919 % 10_007}")));

    [Theory]
    [InlineData("a.txt.gz", false)]
    [InlineData("a.txt", false)]
    [InlineData("a.txt.zst", true)]
    [InlineData("a.zstd", true)]
    public void Compression_is_told_by_the_bytes(string name, bool isZstd)
    {
        string path = _folder.Write(name, isZstd ? SourceFolder.Zstd(_bytes) : SourceFolder.Gzip(_bytes));
        var options = new SourceOptions { Documents = TextDocuments.Line };
        Assert.Equal(20_000, SourceFolder.Read(options, path).Count);
        Assert.Equal(Encoding.UTF8.GetString(_bytes), Assert.Single(SourceFolder.Read(new SourceOptions(), path)).Text);
    }

    [Fact]
    public void A_file_that_is_only_called_compressed_is_read_as_it_is() =>
        Assert.Equal("plain", Assert.Single(_folder.Read("a.txt.gz", "plain")).Text);

    [Fact]
    public void The_format_is_that_of_the_name_without_the_compression()
    {
        string path = _folder.Write("a.jsonl.zst", SourceFolder.Zstd("{\"text\": \"a\"}\n{\"text\": \"b\"}"));
        Assert.Equal(["a", "b"], SourceFolder.ReadFromEverywhere(new SourceOptions(), path).Select(p => p.Text));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public void Members_and_frames_follow_each_other(int zeros)
    {
        for (int size = 1; size < 40_000; size += 3_999)
        {
            byte[] random = new byte[size];
            new Random(size).NextBytes(random);
            foreach (ref byte b in random.AsSpan()) b = (byte)('a' + (b & 15));
            byte[] gzip = SourceFolder.Gzip(random), zstd = SourceFolder.Zstd(random);
            string expected = string.Concat(Enumerable.Repeat(Encoding.UTF8.GetString(random), 3));
            Assert.Equal(expected,
                Assert.Single(SourceFolder.Read(new(), _folder.Write("a.gz", [.. gzip, .. gzip, .. gzip, .. new byte[zeros]]))).Text);
            Assert.Equal(expected, Assert.Single(SourceFolder.Read(new(), _folder.Write("a.zst", [.. zstd, .. zstd, .. zstd]))).Text);
        }
    }

    [Fact]
    public void Gzip_cut_anywhere_is_refused()
    {
        byte[] gzip = SourceFolder.Gzip(_bytes[..2_000]);
        for (int length = 2; length < gzip.Length; length += length < gzip.Length - 12 ? 9 : 1)
        {
            // Where the data end is told by what follows them; if that is missing as a whole, they may as well be damaged.
            string expected = length == gzip.Length - 8 ? "a checksum is missing" : "is cut short";
            Assert.Contains(expected, _folder.Refusal("a.gz", gzip[..length]));
            Assert.Contains(expected, _folder.Refusal("a.gz", [.. gzip, .. gzip[..length]]));
        }
    }

    [Fact]
    public void Zstd_cut_anywhere_is_refused()
    {
        byte[] zstd = SourceFolder.Zstd(_bytes[..2_000]);
        for (int length = 4; length < zstd.Length; length += 9) Assert.Contains("is cut short", _folder.Refusal("a.zst", zstd[..length]));
    }

    [Fact]
    public void Damage_is_refused()
    {
        byte[] gzip = SourceFolder.Gzip(_bytes), zstd = SourceFolder.Zstd(_bytes);
        foreach (int at in new[] { gzip.Length / 2, gzip.Length - 6, gzip.Length - 2 })
            Assert.Matches("is damaged|is cut short|is not UTF-8", _folder.Refusal("a.gz", Flipped(gzip, at)));
        Assert.Contains("a checksum is missing, or is not that of the data", _folder.Refusal("a.gz", Flipped(gzip, gzip.Length - 8)));
        foreach (int at in new[] { zstd.Length / 2, zstd.Length - 1 })
            Assert.Matches("is damaged|is cut short|is not UTF-8", _folder.Refusal("a.zst", Flipped(zstd, at)));
        Assert.Contains("is damaged", _folder.Refusal("a.gz", [.. gzip, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]));
        Assert.Contains("is damaged", _folder.Refusal("a.zst", [.. zstd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_few_bytes_that_become_very_many_are_refused(bool isZstd)
    {
        byte[] letters = new byte[66 << 20];
        letters.AsSpan().Fill((byte)'a');
        for (int at = 0; at < letters.Length; at += 1 << 16) letters[at] = (byte)'\n';
        byte[] bomb = isZstd ? SourceFolder.Zstd(letters) : SourceFolder.Gzip(letters, CompressionLevel.Optimal);
        Assert.Contains("more than 250 times as many", _folder.Refusal("a.txt", bomb));
    }

    [Theory]
    [InlineData(new byte[] { 0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0, 0 }, "is compressed by xz")]
    [InlineData(new byte[] { 0x42, 0x5A, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 }, "is compressed by bzip2")]
    [InlineData(new byte[] { 0x50, 0x4B, 3, 4, 0, 0 }, "is a zip archive")]
    [InlineData(new byte[] { 0x50, 0x41, 0x52, 0x31, 0, 0 }, "is Parquet by its first bytes")]
    public void Other_compressions_are_named(byte[] bytes, string expected) => Assert.Contains(expected, _folder.Refusal("a.txt", bytes));

    public void Dispose() => _folder.Dispose();

    private static byte[] Flipped(byte[] bytes, int at)
    {
        byte[] copy = [.. bytes];
        copy[at] ^= 0x55;
        return copy;
    }
}
