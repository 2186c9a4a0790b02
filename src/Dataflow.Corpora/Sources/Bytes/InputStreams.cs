using Dataflow.Model;
using Dataflow.Training;
using ZstdSharp;

namespace Dataflow.Corpora;

/// <summary>
/// Opens what is read from its beginning to its end; what is compressed is told by its first bytes, whatever it is called.
/// </summary>
internal static class InputStreams
{
    /// <summary>A file as decompressed.</summary>
    public static Stream Open(string path) => Of(new FileContent(ReadOnlyFile.Open(path)), path);

    /// <summary>A stream as decompressed; <paramref name="path"/> is what messages call it.</summary>
    public static Stream Of(Stream content, string path)
    {
        var peeked = new PeekedStream(content);
        try
        {
            ReadOnlySpan<byte> first = peeked.Peek();
            if (first is [0x1F, 0x8B, ..]) return new DecompressedStream(peeked, new GzipMembers(peeked), path, "gzip");
            if (first is [0x28, 0xB5, 0x2F, 0xFD, ..] or [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18, ..])
                return new DecompressedStream(peeked, new DecompressionStream(peeked, leaveOpen: false), path, "zstd");
            if (Unreadable(first) is { } other) throw new UserErrorException($"{path} {other}");
            return peeked;
        }
        catch (Exception e)
        {
            peeked.Dispose();
            if (FileErrors.IsFileError(e)) throw FileErrors.Unreadable(path, e);
            throw;
        }
    }

    private static string? Unreadable(ReadOnlySpan<byte> first) => first switch
    {
        [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => Compressed("xz"),
        [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31, 0x41, 0x59, 0x26] => Compressed("bzip2"),
        [0x04, 0x22, 0x4D, 0x18, ..] => Compressed("lz4"),
        [(byte)'P', (byte)'K', 3, 4, ..] => "is a zip archive; unpack it and name its files",
        [(byte)'P', (byte)'A', (byte)'R', (byte)'1', ..] => "is Parquet by its first bytes; call it .parquet, or say --format parquet",
        [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] => "is UTF-16 by its first bytes; convert it to UTF-8, as with iconv",
        _ => null,
    };

    private static string Compressed(string by) => $"is compressed by {by}; gzip and zstd can be read, decompress it or compress it anew";
}
