using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A tensor that is going to be written.</summary>
public sealed record TensorToWrite(string Name, IReadOnlyList<long> Shape, StoredType Type)
{
    /// <summary>Of a type that memory has, too.</summary>
    public TensorToWrite(string name, IReadOnlyList<long> shape, DType type)
        : this(name, shape, type.Stored())
    {
    }

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
}

/// <summary>
/// Writes a safetensors file in one pass: the tensors are known from the start, their elements come in that order, in pieces of any
/// size. The file appears under its name at <see cref="Complete"/>, whole and durable; until then, and after any failure, an older
/// file of that name is untouched (<see cref="AtomicFile"/>).
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private const int PieceElements = 1 << 16;

    private readonly AtomicFile _file;
    private readonly IReadOnlyList<TensorToWrite> _tensors;
    private readonly List<string> _notFinite = [];
    private int _current;
    private long _written;

    private SafetensorsWriter(AtomicFile file, IReadOnlyList<TensorToWrite> tensors)
    {
        _file = file;
        _tensors = tensors;
    }

    /// <summary>Names of the tensors, of what is written so far, that hold an infinity or a NaN.</summary>
    public IReadOnlyList<string> NotFinite => _notFinite;

    /// <summary>Of the file as it will be.</summary>
    internal static Bytes LengthOf(IReadOnlyList<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        new(Head(tensors, metadata).Length + DataLength(tensors));

    /// <summary>Starts a file.</summary>
    /// <param name="path">The final name; its folder must exist.</param>
    /// <param name="tensors">In file order.</param>
    /// <param name="metadata">Free text for the head.</param>
    /// <exception cref="UserErrorException">It cannot be written, or the disk has too little room.</exception>
    public static SafetensorsWriter Create(
        string path,
        IReadOnlyList<TensorToWrite> tensors,
        IReadOnlyDictionary<string, string>? metadata = null
    )
    {
        byte[] head = Head(tensors, metadata);
        return Start(AtomicFile.Create(path, new Bytes(head.Length + DataLength(tensors))), head, tensors);
    }

    /// <summary>On a file of the caller's: one that is checksummed, or whose writes a test makes fail.</summary>
    internal static SafetensorsWriter Create(AtomicFile file, IReadOnlyList<TensorToWrite> tensors) =>
        Start(file, Head(tensors, null), tensors);

    /// <summary>Appends elements of the tensor that is next; <paramref name="name"/> must be its name.</summary>
    /// <param name="name">A tensor may come in several pieces, all before the next one.</param>
    /// <param name="elements">Whole elements, little endian.</param>
    /// <param name="type">Of these elements; fp32 and bf16 are converted to the tensor's own type, others must be of it.</param>
    public void Write(string name, ReadOnlySpan<byte> elements, DType type)
    {
        Take(name);
        var tensor = _tensors[_current];
        long count = Fitting(tensor, elements.Length, type.Stored());
        if (type.Stored() == tensor.Type)
        {
            WriteAsItIs(elements, tensor.Type);
        }
        else
        {
            WriteConverted(elements, type, tensor.Type);
        }

        _written += count;
    }

    /// <summary>The same of elements in the tensor's own type, whichever it is.</summary>
    public void WriteStored(string name, ReadOnlySpan<byte> elements)
    {
        Take(name);
        long count = Fitting(_tensors[_current], elements.Length, _tensors[_current].Type);
        WriteAsItIs(elements, _tensors[_current].Type);
        _written += count;
    }

    /// <summary>Flushes to disk and gives the file its name.</summary>
    public void Complete()
    {
        Advance();
        if (_current != _tensors.Count)
        {
            throw new InvalidOperationException(
                $"tensor {_tensors[_current].Name} has {_written} of its {_tensors[_current].Count} elements"
            );
        }

        _file.Commit();
    }

    /// <summary>Without <see cref="Complete"/>, nothing remains of the file.</summary>
    public void Dispose() => _file.Dispose();

    private static SafetensorsWriter Start(AtomicFile file, byte[] head, IReadOnlyList<TensorToWrite> tensors)
    {
        try
        {
            file.Write(head);
            return new SafetensorsWriter(file, tensors);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static byte[] Head(IReadOnlyList<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        if (tensors.GroupBy(t => t.Name).FirstOrDefault(group => group.Skip(1).Any()) is { } repeated)
        {
            throw new ArgumentException($"two tensors are named {repeated.Key}", nameof(tensors));
        }

        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var tensor in tensors)
            {
                long end = checked(offset + (tensor.Count * tensor.Type.Size()));
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.ToString());
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [offset, end]);
                json.WriteEndObject();
                offset = end;
            }

            json.WriteEndObject();
        }

        // Spaces after the JSON text align the data, as the format's own writer does.
        int padded = (text.WrittenCount + 7) / 8 * 8;
        byte[] head = new byte[SafetensorsHeader.LengthBytes + padded];
        BinaryPrimitives.WriteInt64LittleEndian(head, padded);
        head.AsSpan(SafetensorsHeader.LengthBytes).Fill((byte)' ');
        text.WrittenSpan.CopyTo(head.AsSpan(SafetensorsHeader.LengthBytes));
        return head;
    }

    private static long DataLength(IReadOnlyList<TensorToWrite> tensors) => tensors.Sum(t => checked(t.Count * t.Type.Size()));

    private static void WriteNumbers(Utf8JsonWriter json, string key, IReadOnlyList<long> numbers)
    {
        json.WriteStartArray(key);
        foreach (long number in numbers)
        {
            json.WriteNumberValue(number);
        }

        json.WriteEndArray();
    }

    private void Take(string name)
    {
        Advance();
        if (_current == _tensors.Count || _tensors[_current].Name != name)
        {
            throw new InvalidOperationException(
                $"tensor {name} is out of order: {(_current == _tensors.Count ? "all are written" : _tensors[_current].Name + " is next")}"
            );
        }
    }

    private long Fitting(TensorToWrite tensor, int bytes, StoredType type)
    {
        long count = bytes / type.Size();
        return count * type.Size() == bytes && _written + count <= tensor.Count
            ? count
            : throw new InvalidOperationException(
                $"tensor {tensor.Name} has {tensor.Count} elements, {_written} of them written; {bytes} bytes of {type} do not fit"
            );
    }

    /// <summary>Tensors that are full, or have no elements, are done.</summary>
    private void Advance()
    {
        while (_current < _tensors.Count && _written == _tensors[_current].Count)
        {
            _current++;
            _written = 0;
        }
    }

    private void WriteAsItIs(ReadOnlySpan<byte> elements, StoredType type)
    {
        string name = _tensors[_current].Name;
        if ((_notFinite.Count == 0 || _notFinite[^1] != name) && !FiniteNumbers.AreAll(elements, type))
        {
            _notFinite.Add(name);
        }

        _file.Write(elements);
    }

    private void WriteConverted(ReadOnlySpan<byte> elements, DType from, StoredType to)
    {
        int fromSize = (int)from.Size();
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceElements * (int)to.Size());
        try
        {
            while (elements.Length > 0)
            {
                int count = Math.Min(PieceElements, elements.Length / fromSize);
                var converted = piece.AsSpan(0, count * (int)to.Size());
                ElementConversion.Convert(elements[..(count * fromSize)], from.Stored(), converted, to);
                WriteAsItIs(converted, to);
                elements = elements[(count * fromSize)..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }
}
