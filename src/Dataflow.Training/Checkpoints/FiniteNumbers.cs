using System.Numerics;
using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Finds infinities and NaNs: numbers whose exponent bits are all set. Vectors at a time, about as fast as memory is read.
/// </summary>
internal static class FiniteNumbers
{
    private const uint Exponent32 = 0x7F800000;
    private const ushort ExponentB16 = 0x7F80;
    private const ushort Exponent16 = 0x7C00;

    /// <summary>Whether every number is finite.</summary>
    /// <param name="elements">Whole numbers, little endian.</param>
    /// <param name="type">fp32 or bf16; numbers of other types are all finite.</param>
    public static bool AreAll(ReadOnlySpan<byte> elements, DType type) => AreAll(elements, type.Stored());

    /// <summary>The same of a file's types: fp32, bf16 or fp16.</summary>
    public static bool AreAll(ReadOnlySpan<byte> elements, StoredType type) => type switch
    {
        StoredType.F32 => !AnyHas(MemoryMarshal.Cast<byte, uint>(elements), Exponent32),
        StoredType.BF16 => !AnyHas(MemoryMarshal.Cast<byte, ushort>(elements), ExponentB16),
        StoredType.F16 => !AnyHas(MemoryMarshal.Cast<byte, ushort>(elements), Exponent16),
        _ => true,
    };

    private static bool AnyHas<T>(ReadOnlySpan<T> numbers, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        var mask = new Vector<T>(exponent);
        var vectors = MemoryMarshal.Cast<T, Vector<T>>(numbers);
        var found = Vector<T>.Zero;
        foreach (var vector in vectors)
        {
            found |= Vector.Equals(vector & mask, mask);
        }

        if (found != Vector<T>.Zero)
        {
            return true;
        }

        foreach (var number in numbers[(vectors.Length * Vector<T>.Count)..])
        {
            if ((number & exponent) == exponent)
            {
                return true;
            }
        }

        return false;
    }
}
