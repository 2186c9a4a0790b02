using System.Buffers;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>A tensor in a GGUF file, read in pieces of any size, by any number of threads.</summary>
public sealed class GgufTensor
{
    private const int PieceBytes = 1 << 18;

    private readonly ReadOnlyFile file;
    private readonly long offset;

    internal GgufTensor(ReadOnlyFile file, string name, IReadOnlyList<long> shape, BlockFormat format, long offset)
    {
        this.file = file;
        this.offset = offset;
        Name = name;
        Shape = shape;
        Format = format;
        Count = shape.Aggregate(1L, (product, d) => product * d);
    }

    /// <summary>As in the file.</summary>
    public string Name { get; }

    /// <summary>Rows first, as in other formats: the file has them the other way round.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The format's name of its type: "Q4_1".</summary>
    public string TypeName => Format.Name;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Bytes in the file.</summary>
    public long ByteCount => Count / Format.Values * Format.Bytes;

    /// <summary>Of its first byte, from the file's start.</summary>
    public long FileOffset => offset;

    /// <summary>The file, as the user named it or its first part.</summary>
    public string Path => file.Path;

    /// <summary>How its numbers are packed.</summary>
    internal BlockFormat Format { get; }

    /// <summary>Fills with numbers in fp32.</summary>
    /// <param name="first">The first of them; any, not only that of a block.</param>
    /// <param name="destination">As many as fit are read.</param>
    /// <exception cref="Dataflow.Model.UserErrorException">The file cannot be read.</exception>
    public void Read(long first, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + destination.Length, Count);
        byte[] stored = ArrayPool<byte>.Shared.Rent(PieceBytes);
        float[] edge = ArrayPool<float>.Shared.Rent(Format.Values);
        try
        {
            int most = PieceBytes / Format.Bytes;
            while (destination.Length > 0)
            {
                var (block, skipped) = Math.DivRem(first, Format.Values);
                int whole = skipped == 0 ? Math.Min(destination.Length / Format.Values, most) : 0;
                var bytes = stored.AsSpan(0, Math.Max(whole, 1) * Format.Bytes);
                ReadBytes(block * Format.Bytes, bytes);
                int some = whole * Format.Values;
                if (whole > 0)
                {
                    Format.Dequantize(bytes, destination[..some]);
                }
                else
                {
                    some = Math.Min(destination.Length, Format.Values - (int)skipped);
                    Format.Dequantize(bytes, edge.AsSpan(0, Format.Values));
                    edge.AsSpan((int)skipped, some).CopyTo(destination);
                }

                destination = destination[some..];
                first += some;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
            ArrayPool<float>.Shared.Return(edge);
        }
    }

    /// <summary>Fills with bytes as they are stored.</summary>
    /// <param name="from">The first of them, from the tensor's start.</param>
    /// <param name="destination">As many as fit are read.</param>
    public void ReadBytes(long from, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from + destination.Length, ByteCount);
        file.Read(offset + from, destination);
    }
}
