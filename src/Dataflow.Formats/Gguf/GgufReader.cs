using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>
/// Reads the head of a GGUF file from front to back. Nothing is believed: what a length asks for must be left in the file, and within the
/// bound on heads, before room is made for it.
/// </summary>
internal sealed class GgufReader(ReadOnlyFile file)
{
    /// <summary>The most bytes of a head; those of the largest vocabularies have a fifth of it.</summary>
    public const long MostBytes = 64 << 20;

    private const int DeepestArrays = 4;
    private const int PieceBytes = 1 << 16;

    private static readonly UTF8Encoding s_utf8 = new(false, throwOnInvalidBytes: true);

    private readonly byte[] piece = new byte[PieceBytes];
    private readonly long end = Math.Min(file.Length, MostBytes);
    private long pieceStart;
    private int pieceLength;

    /// <summary>Of the byte that is read next.</summary>
    public long Position { get; private set; }

    /// <summary>A number of a fixed width, little endian.</summary>
    public T Number<T>(string what)
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        Span<byte> bytes = stackalloc byte[8];
        int size = Marshal.SizeOf<T>();
        Fill(bytes[..size], what);
        return T.ReadLittleEndian(bytes[..size], isUnsigned: T.MinValue == T.Zero);
    }

    /// <summary>A number of things that have at least so many bytes each.</summary>
    public int Count(int leastBytes, string what)
    {
        ulong count = Number<ulong>(what);
        long left = end - Position;
        return count <= (ulong)(left / leastBytes) && count <= int.MaxValue
            ? (int)count
            : throw Damaged($"{what} says {count}, and the {left} bytes that can follow hold no more than {left / leastBytes}");
    }

    /// <summary>A text with its length before it.</summary>
    public string Text(string what)
    {
        int length = Count(1, what);
        if (length == 0)
        {
            return string.Empty;
        }

        byte[]? longer = length > 1024 ? new byte[length] : null;
        Span<byte> bytes = longer ?? stackalloc byte[length];
        Fill(bytes, what);
        try
        {
            return s_utf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Damaged($"{what} is not UTF-8 text");
        }
    }

    /// <summary>A kind of value.</summary>
    public GgufKind Kind(string what) => Number<uint>(what) is var kind && kind <= (uint)GgufKind.Float64
        ? (GgufKind)kind
        : throw Damaged($"{what} is of the unknown kind {kind}");

    /// <summary>A value with its kind before it.</summary>
    public GgufValue Value(string what)
    {
        var kind = Kind(what);
        return kind == GgufKind.Array ? Array(what, 1) : Single(kind, what);
    }

    /// <summary>A sentence about the file.</summary>
    public UserErrorException Damaged(string why) => new($"{file.Path} is not a GGUF file or is damaged: {why}");

    private GgufValue Single(GgufKind kind, string what) => kind switch
    {
        GgufKind.UInt8 => new GgufValue.Whole(kind, Number<byte>(what)),
        GgufKind.Int8 => new GgufValue.Whole(kind, Number<sbyte>(what)),
        GgufKind.UInt16 => new GgufValue.Whole(kind, Number<ushort>(what)),
        GgufKind.Int16 => new GgufValue.Whole(kind, Number<short>(what)),
        GgufKind.UInt32 => new GgufValue.Whole(kind, Number<uint>(what)),
        GgufKind.Int32 => new GgufValue.Whole(kind, Number<int>(what)),
        GgufKind.UInt64 => new GgufValue.Whole(kind, Number<ulong>(what)),
        GgufKind.Int64 => new GgufValue.Whole(kind, Number<long>(what)),
        GgufKind.Float32 => new GgufValue.Real(kind, BitConverter.Int32BitsToSingle(Number<int>(what))),
        GgufKind.Float64 => new GgufValue.Real(kind, BitConverter.Int64BitsToDouble(Number<long>(what))),
        GgufKind.Bool => new GgufValue.Flag(Flag(Number<byte>(what), what)),
        GgufKind.String => new GgufValue.Text(Text(what)),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "not a single value"),
    };

    private GgufValue.List Array(string what, int depth)
    {
        var of = Kind(what);
        int count = Count(of.LeastBytes(), what);
        if (of == GgufKind.Array && depth == DeepestArrays)
        {
            throw Damaged($"{what} has arrays nested deeper than {DeepestArrays}");
        }

        return new GgufValue.List(
            of,
            of switch
            {
                GgufKind.UInt8 => Numbers<byte>(count, what),
                GgufKind.Int8 => Numbers<sbyte>(count, what),
                GgufKind.UInt16 => Numbers<ushort>(count, what),
                GgufKind.Int16 => Numbers<short>(count, what),
                GgufKind.UInt32 => Numbers<uint>(count, what),
                GgufKind.Int32 => Numbers<int>(count, what),
                GgufKind.UInt64 => Numbers<ulong>(count, what),
                GgufKind.Int64 => Numbers<long>(count, what),
                GgufKind.Float32 => Numbers<float>(count, what),
                GgufKind.Float64 => Numbers<double>(count, what),
                GgufKind.Bool => Items(count, () => Flag(Number<byte>(what), what)),
                GgufKind.String => Items(count, () => Text(what)),
                _ => Items(count, () => Array(what, depth + 1)),
            });
    }

    private T[] Numbers<T>(int count, string what)
        where T : unmanaged
    {
        var numbers = new T[count];
        Fill(MemoryMarshal.AsBytes(numbers.AsSpan()), what);
        return numbers;
    }

    private static T[] Items<T>(int count, Func<T> read)
    {
        var items = new T[count];
        for (int i = 0; i < count; i++)
        {
            items[i] = read();
        }

        return items;
    }

    private bool Flag(byte value, string what) =>
        value <= 1 ? value == 1 : throw Damaged($"{what} is the truth value {value}, and 0 or 1 was expected");

    private void Fill(Span<byte> destination, string what)
    {
        if (destination.Length > end - Position)
        {
            throw end < file.Length
                ? new UserErrorException(
                    $"{file.Path} cannot be read: its metadata and list of tensors are longer than {MostBytes >> 20} MiB, far more than "
                        + "the largest vocabularies need")
                : Damaged($"it ends at byte {end} within {what}; it may be cut short");
        }

        while (destination.Length > 0)
        {
            int at = (int)(Position - pieceStart);
            if (at == pieceLength)
            {
                pieceStart = Position;
                pieceLength = (int)Math.Min(PieceBytes, end - Position);
                file.Read(pieceStart, piece.AsSpan(0, pieceLength));
                at = 0;
            }

            int some = Math.Min(destination.Length, pieceLength - at);
            piece.AsSpan(at, some).CopyTo(destination);
            destination = destination[some..];
            Position += some;
        }
    }
}
