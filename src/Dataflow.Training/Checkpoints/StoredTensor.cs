using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A tensor in a safetensors file, read in pieces of any size, by any number of threads. Row-major; a vector counts as one row, and
/// of a tensor with more than two dimensions all but the first make up the columns.
/// </summary>
public sealed class StoredTensor
{
    private const int PieceBytes = 1 << 18;

    private readonly ReadOnlyFile _file;
    private readonly long _offset;

    internal StoredTensor(ReadOnlyFile file, string name, IReadOnlyList<long> shape, StoredType type, long offset, long count)
    {
        _file = file;
        _offset = offset;
        Name = name;
        Shape = shape;
        Type = type;
        Count = count;
        Rows = shape.Count < 2 ? 1 : shape[0];
        Columns = Rows == 0 ? 0 : count / Rows;
    }

    /// <summary>Numbers in the place of the codes and scales that the file has for them.</summary>
    internal StoredTensor(StoredTensor codes, string name, IReadOnlyList<long> shape, Mxfp4Blocks blocks)
        : this(codes._file, name, shape, codes.Type, codes._offset, shape.Aggregate(1L, (product, n) => product * n)) => Blocks = blocks;

    /// <summary>As in the file.</summary>
    public string Name { get; }

    /// <summary>As in the file.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>As in the file.</summary>
    public StoredType Type { get; }

    /// <summary>What the codes of an fp8 tensor are multiplied by; null if there is nothing of the kind.</summary>
    internal TensorScale? Scale { get; set; }

    /// <summary>The codes and scales that it is read from; null: it is stored as it is.</summary>
    internal Mxfp4Blocks? Blocks { get; }

    /// <summary>What its numbers are written as where they keep their type: codes are read with their scales, and never written.</summary>
    internal StoredType PlainType => Blocks is not null || (Type == StoredType.F8_E4M3 && Scale is not null) ? StoredType.BF16 : Type;

    /// <summary>Why its elements cannot be read as numbers, a phrase after its name; null: they can.</summary>
    internal string? Fault => Type.IsReadable() || Blocks is not null ? null
        : Type == StoredType.F8_E4M3 && Scale is { } scale ? scale.Fault
        : Type == StoredType.F8_E4M3 ? $"has element type {Type} and no scale: neither {Name}_scale_inv nor {Name}_scale is there"
        : $"has element type {Type}, and F32, BF16 and F16 can be read";

    /// <summary>The file that holds it, as the user named it.</summary>
    public string Path => _file.Path;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>1 for a vector, else the first dimension.</summary>
    public long Rows { get; }

    /// <summary>Elements of a row.</summary>
    public long Columns { get; }

    /// <summary>Neighbouring elements as a tensor of their own.</summary>
    internal StoredTensor Part(string name, IReadOnlyList<long> shape, long firstElement) =>
        new(_file, name, shape, Type, _offset + (firstElement * Type.Size()), shape.Aggregate(1L, (product, n) => product * n));

    /// <summary>Reads whole rows as <paramref name="destinationType"/> (fp32 or bf16, rounded to nearest even).</summary>
    /// <param name="firstRow">From 0.</param>
    /// <param name="count">Rows.</param>
    /// <param name="destination">At least count x Columns elements; the rest is left as it is.</param>
    /// <param name="destinationType">Of the elements in memory.</param>
    /// <exception cref="UserErrorException">The file cannot be read, or its element type has no conversion.</exception>
    public void ReadRows(long firstRow, long count, Span<byte> destination, DType destinationType)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow + count, Rows);
        long bytes = checked(count * Columns * destinationType.Size());
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, destination.Length);
        ReadElements(firstRow * Columns, destination[..(int)bytes], destinationType);
    }

    /// <summary>Copies elements as they are stored, of any type.</summary>
    internal void ReadStored(long firstElement, Span<byte> destination) =>
        _file.Read(_offset + (firstElement * Type.Size()), destination);

    /// <summary>
    /// Fills <paramref name="destination"/> with elements from <paramref name="firstElement"/> on; as <see cref="ReadRows"/>, and what is
    /// no float (codes, indices) in its own type.
    /// </summary>
    public void ReadElements(long firstElement, Span<byte> destination, DType destinationType)
    {
        int size = (int)destinationType.Size();
        long count = destination.Length / size;
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement + count, Count);
        if (Blocks is { } blocks && destinationType is DType.Float32 or DType.BFloat16)
        {
            ReadBlocks(blocks, firstElement, destination[..(int)(count * size)], destinationType);
            return;
        }

        if (Type == destinationType.Stored())
        {
            ReadStored(firstElement, destination[..(int)(count * size)]);
            return;
        }

        if (Fault is { } fault)
        {
            throw new UserErrorException($"{Path}: tensor {Name} {fault}");
        }

        if (destinationType is not (DType.Float32 or DType.BFloat16))
        {
            throw new UserErrorException($"{Path}: tensor {Name} has element type {Type}, and {destinationType.Stored()} is wanted");
        }

        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            int storedSize = (int)Type.Size();
            while (count > 0)
            {
                int elements = (int)Math.Min(count, PieceBytes / storedSize);
                var stored = piece.AsSpan(0, elements * storedSize);
                ReadStored(firstElement, stored);
                if (Scale is { } scale)
                {
                    scale.Multiply(stored, firstElement, destination[..(elements * size)], destinationType);
                }
                else
                {
                    ElementConversion.Convert(stored, Type, destination[..(elements * size)], destinationType);
                }

                destination = destination[(elements * size)..];
                firstElement += elements;
                count -= elements;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <summary>Codes lie by rows of a product, what they stand for by columns.</summary>
    private void ReadBlocks(Mxfp4Blocks blocks, long firstElement, Span<byte> destination, DType type)
    {
        var stack = new WeightPart(Name, 0, [.. Shape]) { IsTransposed = true, Stack = (int)Shape[0] };
        RowGather.ToCheckpoint(stack, firstElement, destination, (int)type.Size(), (from, run) => blocks.Read(from, run, type));
    }
}
