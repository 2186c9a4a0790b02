using System.Numerics;
using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Conversion of runs of little-endian numbers between the float types of files and those of memory. Widening is exact; narrowing to
/// bf16 rounds to nearest, ties to even, keeps infinities, and keeps a NaN a NaN. Types with blocks are read and written from a block's
/// start on.
/// </summary>
internal static class ElementConversion
{
    /// <summary>A multiple of every type's block.</summary>
    private const int PieceElements = 1 << 10;

    /// <summary>One number rounded to bf16: its 16 bits.</summary>
    public static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return (ushort)((bits >> 16) | 0x40); // quiet, or truncation might make it an infinity
        }

        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The number that 16 bits of bf16 stand for.</summary>
    public static float FromBFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Converts whole elements; the spans hold the same number of them.</summary>
    public static void Convert(ReadOnlySpan<byte> source, DType from, Span<byte> destination, DType to)
    {
        if (from != DType.Int8)
        {
            Convert(source, from.Stored(), destination, to);
            return;
        }

        Span<float> values = stackalloc float[PieceElements];
        for (int size = (int)to.Size(); destination.Length > 0;)
        {
            int count = Math.Min(PieceElements, destination.Length / size);
            Int8Blocks.Load(source, values[..count]);
            FromFloats(values[..count], destination, to);
            destination = destination[(count * size)..];
            source = source[(int)from.SizeOf(count).Value..];
        }
    }

    /// <summary>Converts whole elements of a file; the spans hold the same number of them.</summary>
    public static void Convert(ReadOnlySpan<byte> source, StoredType from, Span<byte> destination, DType to)
    {
        switch (from, to)
        {
            case (StoredType.F32, DType.Float32):
            case (StoredType.BF16, DType.BFloat16):
                source.CopyTo(destination);
                break;
            case (StoredType.F32, DType.BFloat16):
                FromFloats(MemoryMarshal.Cast<byte, float>(source), destination, to);
                break;
            case (StoredType.BF16, DType.Float32):
                Widen(MemoryMarshal.Cast<byte, ushort>(source), MemoryMarshal.Cast<byte, float>(destination));
                break;
            case (StoredType.F16, DType.Float32):
                Widen(MemoryMarshal.Cast<byte, Half>(source), MemoryMarshal.Cast<byte, float>(destination));
                break;
            case (StoredType.F16, DType.BFloat16):
                Narrow(MemoryMarshal.Cast<byte, Half>(source), MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            case (StoredType.F32, DType.Int8):
                Int8Blocks.Store(MemoryMarshal.Cast<byte, float>(source), destination);
                break;
            case (StoredType.BF16 or StoredType.F16, DType.Int8):
                ThroughFloats(source, from, destination, to);
                break;
            default:
                throw new ArgumentException($"no conversion from {from} to {to}", nameof(to));
        }
    }

    /// <summary>The same between types of files; the second is one that memory has, too.</summary>
    public static void Convert(ReadOnlySpan<byte> source, StoredType from, Span<byte> destination, StoredType to) =>
        Convert(source, from, destination, to == StoredType.BF16 ? DType.BFloat16 : DType.Float32);

    /// <summary>Stores floats as a file has them: fp32, bf16 or fp16, each rounded to nearest even.</summary>
    public static void FromFloats(ReadOnlySpan<float> source, Span<byte> destination, StoredType to)
    {
        if (to != StoredType.F16)
        {
            FromFloats(source, destination, to == StoredType.BF16 ? DType.BFloat16 : DType.Float32);
            return;
        }

        var halves = MemoryMarshal.Cast<byte, Half>(destination)[..source.Length];
        for (int i = 0; i < halves.Length; i++)
        {
            halves[i] = (Half)source[i];
        }
    }

    /// <summary>Stores floats as <paramref name="to"/>.</summary>
    public static void FromFloats(ReadOnlySpan<float> source, Span<byte> destination, DType to)
    {
        if (to == DType.Float32)
        {
            MemoryMarshal.AsBytes(source).CopyTo(destination);
            return;
        }

        if (to != DType.BFloat16)
        {
            throw new ArgumentException($"no conversion from floats to {to}", nameof(to));
        }

        Narrow(source, MemoryMarshal.Cast<byte, ushort>(destination)[..source.Length]);
    }

    /// <summary>Of numbers kept in bf16: what is still what the number before rounds to was not moved, and is the one before.</summary>
    public static void KeepUnmoved(Span<float> now, ReadOnlySpan<float> before)
    {
        int lanes = Vector<float>.Count, i = 0;
        for (; i + lanes <= now.Length; i += lanes)
        {
            var (moved, from) = (new Vector<float>(now[i..]), new Vector<float>(before[i..]));
            var rounded = Vector.AsVectorSingle(Vector.ShiftLeft(Rounded(from), 16));
            Vector.ConditionalSelect(Vector.Equals(moved, rounded), from, moved).CopyTo(now[i..]);
        }

        for (; i < now.Length; i++)
        {
            now[i] = now[i] == FromBFloat16(ToBFloat16(before[i])) ? before[i] : now[i];
        }
    }

    private static void ThroughFloats(ReadOnlySpan<byte> source, StoredType from, Span<byte> destination, DType to)
    {
        Span<float> values = stackalloc float[PieceElements];
        for (int size = (int)from.Size(); source.Length > 0;)
        {
            int count = Math.Min(PieceElements, source.Length / size);
            Convert(source[..(count * size)], from, MemoryMarshal.AsBytes(values[..count]), DType.Float32);
            Convert(MemoryMarshal.AsBytes(values[..count]), StoredType.F32, destination, to);
            source = source[(count * size)..];
            destination = destination[(int)to.SizeOf(count).Value..];
        }
    }

    // What is saved, exported or read passes here: vectors at a time, or the processor is slower than the disk.
    private static void Narrow(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        int lanes = Vector<float>.Count, i = 0;
        for (; i + (2 * lanes) <= source.Length; i += 2 * lanes)
        {
            Vector.Narrow(Rounded(new Vector<float>(source[i..])), Rounded(new Vector<float>(source[(i + lanes)..])))
                .CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = ToBFloat16(source[i]);
        }
    }

    /// <summary>As <see cref="ToBFloat16"/>, in the lower half of each lane.</summary>
    private static Vector<uint> Rounded(Vector<float> values)
    {
        var bits = Vector.AsVectorUInt32(values);
        var upper = Vector.ShiftRightLogical(bits, 16);
        var nearest = Vector.ShiftRightLogical(bits + new Vector<uint>(0x7FFF) + (upper & Vector<uint>.One), 16);
        return Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(values, values)), nearest, upper | new Vector<uint>(0x40));
    }

    private static void Widen(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int lanes = Vector<ushort>.Count, i = 0;
        for (; i + lanes <= source.Length; i += lanes)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var lower, out var upper);
            Vector.AsVectorSingle(Vector.ShiftLeft(lower, 16)).CopyTo(destination[i..]);
            Vector.AsVectorSingle(Vector.ShiftLeft(upper, 16)).CopyTo(destination[(i + (lanes / 2))..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = FromBFloat16(source[i]);
        }
    }

    private static void Widen(ReadOnlySpan<Half> source, Span<float> destination)
    {
        for (int i = 0; i < source.Length; i++)
        {
            destination[i] = (float)source[i];
        }
    }

    private static void Narrow(ReadOnlySpan<Half> source, Span<ushort> destination)
    {
        for (int i = 0; i < source.Length; i++)
        {
            destination[i] = ToBFloat16((float)source[i]);
        }
    }
}
