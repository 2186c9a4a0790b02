using System.Runtime.InteropServices;
using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>A tensor that is going to be written.</summary>
/// <param name="Name">In the file.</param>
/// <param name="Shape">Rows first.</param>
/// <param name="Format">How its numbers are packed; rows are whole blocks.</param>
internal sealed record GgufTensorToWrite(string Name, IReadOnlyList<long> Shape, BlockFormat Format)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, d) => checked(product * d));

    /// <summary>Bytes in the file.</summary>
    public long ByteCount => checked(Count / Format.Values * Format.Bytes);
}

/// <summary>
/// Writes a GGUF file of version 3 in one pass, its tensors in the order in which they were listed, in pieces of whole blocks. It appears
/// under its name at <see cref="Complete"/>, whole, or not at all.
/// </summary>
internal sealed class GgufWriter : IDisposable
{
    private readonly AtomicFile file;
    private readonly IReadOnlyList<GgufTensorToWrite> tensors;
    private byte[] piece = [];
    private int current;
    private long written;

    private GgufWriter(AtomicFile file, IReadOnlyList<GgufTensorToWrite> tensors) => (this.file, this.tensors) = (file, tensors);

    /// <summary>Starts a file.</summary>
    /// <exception cref="UserErrorException">It cannot be written, or the disk has too little room.</exception>
    public static GgufWriter Create(
        string path, IReadOnlyList<KeyValuePair<string, GgufValue>> values, IReadOnlyList<GgufTensorToWrite> tensors)
    {
        byte[] head = Head(values, tensors);
        var file = AtomicFile.Create(path, new Bytes(head.Length + tensors.Sum(t => GgufHeader.Aligned(t.ByteCount, Alignment))));
        try
        {
            file.Write(head);
            return new GgufWriter(file, tensors);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Appends numbers of the tensor that is next, whole blocks of them.</summary>
    public void Write(string name, ReadOnlySpan<float> numbers)
    {
        var tensor = tensors[current];
        int bytes = numbers.Length / tensor.Format.Values * tensor.Format.Bytes;
        if (tensor.Name != name || numbers.Length % tensor.Format.Values != 0 || written + bytes > tensor.ByteCount)
        {
            throw new InvalidOperationException($"{numbers.Length} numbers of {name} do not fit where {tensor.Name} is written");
        }

        if (piece.Length < bytes)
        {
            piece = new byte[bytes];
        }

        tensor.Format.Quantize(numbers, piece.AsSpan(0, bytes));
        file.Write(piece.AsSpan(0, bytes));
        written += bytes;
        if (written == tensor.ByteCount)
        {
            file.Write(new byte[GgufHeader.Aligned(written, Alignment) - written]);
            current++;
            written = 0;
        }
    }

    /// <summary>Flushes to disk and gives the file its name.</summary>
    public void Complete()
    {
        if (current != tensors.Count)
        {
            throw new InvalidOperationException($"{tensors[current].Name} is not written whole");
        }

        file.Commit();
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private static long Alignment => GgufHeader.DefaultAlignment;

    private static byte[] Head(IReadOnlyList<KeyValuePair<string, GgufValue>> values, IReadOnlyList<GgufTensorToWrite> tensors)
    {
        using var bytes = new MemoryStream();
        using var head = new BinaryWriter(bytes);
        head.Write(GgufHeader.Magic);
        head.Write(3);
        head.Write((long)tensors.Count);
        head.Write((long)values.Count);
        foreach (var (key, value) in values)
        {
            Write(head, key);
            head.Write((int)value.Kind);
            Write(head, value);
        }

        long offset = 0;
        foreach (var tensor in tensors)
        {
            Write(head, tensor.Name);
            head.Write(tensor.Shape.Count);
            foreach (long dimension in tensor.Shape.Reverse())
            {
                head.Write(dimension);
            }

            head.Write(tensor.Format.Number);
            head.Write(offset);
            offset += GgufHeader.Aligned(tensor.ByteCount, Alignment);
        }

        head.Write(new byte[GgufHeader.Aligned(bytes.Length, Alignment) - bytes.Length]);
        return bytes.ToArray();
    }

    private static void Write(BinaryWriter head, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        head.Write((long)bytes.Length);
        head.Write(bytes);
    }

    private static void Write(BinaryWriter head, GgufValue value)
    {
        switch (value)
        {
            case GgufValue.Text text:
                Write(head, text.Value);
                break;
            case GgufValue.Flag flag:
                head.Write(flag.Value);
                break;
            case GgufValue.Real { Width: GgufKind.Float32 } real:
                head.Write((float)real.Number);
                break;
            case GgufValue.Real real:
                head.Write(real.Number);
                break;
            case GgufValue.Whole whole:
                Span<byte> number = stackalloc byte[16];
                BitConverter.TryWriteBytes(number, whole.Number);
                head.Write(number[..whole.Width.LeastBytes()]);
                break;
            case GgufValue.List list:
                Write(head, list);
                break;
        }
    }

    private static void Write(BinaryWriter head, GgufValue.List list)
    {
        head.Write((int)list.Of);
        head.Write((long)list.Items.Length);
        switch (list.Items)
        {
            case string[] texts:
                Array.ForEach(texts, t => Write(head, t));
                break;
            case GgufValue.List[] inner:
                Array.ForEach(inner, i => Write(head, i));
                break;
            default:
                // Numbers and truth values lie in memory as they do in files.
                ref byte first = ref MemoryMarshal.GetArrayDataReference(list.Items);
                head.Write(MemoryMarshal.CreateReadOnlySpan(ref first, Buffer.ByteLength(list.Items)));
                break;
        }
    }
}
