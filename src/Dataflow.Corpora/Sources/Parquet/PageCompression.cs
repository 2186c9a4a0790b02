using System.IO.Compression;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace Dataflow.Corpora;

/// <summary>Decompresses pages, to the length that their headers say and no further.</summary>
internal static class PageCompression
{
    /// <summary>Why a compression cannot be read, or null.</summary>
    /// <param name="codec">By Parquet's numbers.</param>
    public static string? Refusal(int codec) => codec switch
    {
        0 or 1 or 2 or 4 or 6 or 7 => null,
        3 => "LZO",
        5 => "LZ4 as Hadoop writes it",
        _ => $"an unknown method ({codec})",
    };

    /// <summary>Fills <paramref name="target"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged, or are fewer or more.</exception>
    public static void Decompress(int codec, byte[] bytes, int start, int length, Span<byte> target)
    {
        ReadOnlySpan<byte> source = bytes.AsSpan(start, length);
        int written = codec switch
        {
            0 => Copy(source, target),
            1 => Snappy.Decompress(source, target),
            2 => Read(new GzipMembers(new MemoryStream(bytes, start, length)), target),
            4 => Read(new BrotliStream(new MemoryStream(bytes, start, length), CompressionMode.Decompress), target),
            6 => OfZstd(source, target),
            _ => LZ4Codec.Decode(source, target),
        };
        if (written != target.Length) throw new InvalidDataException("a page does not decompress to its length");
    }

    private static int Copy(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (source.Length != target.Length) return -1;
        source.CopyTo(target);
        return source.Length;
    }

    private static int OfZstd(ReadOnlySpan<byte> source, Span<byte> target)
    {
        using var decompressor = new Decompressor();
        return decompressor.Unwrap(source, target);
    }

    private static int Read(Stream decompressor, Span<byte> target)
    {
        using (decompressor)
        {
            int read = decompressor.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
            return decompressor.ReadByte() < 0 ? read : -1;
        }
    }
}
