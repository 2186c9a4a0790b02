using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Model;

/// <summary>
/// <see cref="DType.Int8"/>: a number is a code from -127 to 127 times a scale that it shares with its block of 32, consecutive elements of
/// a tensor. The scale is the block's largest magnitude / 127, the code number / scale rounded to nearest even, all in fp32; a block of
/// zeros has scale 0 and codes 0. What this type computes is the definition for all devices.
/// </summary>
/// <remarks>
/// <para>In memory four blocks are together, 144 bytes: their four scales (fp32), then their 128 codes. So scales and codes are in whole
/// words of 16 bytes, and as tensors start at multiples of 128 elements, each starts on such a word.</para>
/// <para>The values of a block, in fp32 or rounded to bf16, are stored as the same codes and scale again if they came from numbers of that
/// type: 127 scale, rounded, / 127 is the scale, as no largest magnitude / 127 is one of those scales for which it is not. Below 2^-142,
/// where numbers of fp32 are so far apart that the largest code may be less than 127, and for the largest number of fp32, whose scale
/// times 127 is infinite, that may fail: <see cref="ScaleOf"/> takes the next smaller scale then.</para>
/// </remarks>
public static class Int8Blocks
{
    /// <summary>Numbers that share a scale.</summary>
    public const int BlockElements = 32;

    /// <summary>Numbers that are stored together.</summary>
    public const int GroupElements = 4 * BlockElements;

    /// <summary>Bytes that they take.</summary>
    public const int GroupBytes = ScalesBytes + GroupElements;

    private const int ScalesBytes = GroupElements / BlockElements * sizeof(float);
    private const int Most = 127;
    private const int Infinity = 0x7F800000;

    /// <summary>The scale of a block whose largest magnitude is <paramref name="most"/>; NaN if that is infinite or none.</summary>
    public static float ScaleOf(float most)
    {
        if (!float.IsFinite(most))
        {
            return float.NaN;
        }

        float scale = most / Most;
        return scale == 0 || CodeOf(most, scale) * scale / Most == scale ? scale : MathF.BitDecrement(scale);
    }

    /// <summary>Stores a block and returns its scale.</summary>
    /// <param name="block">Of <see cref="BlockElements"/>. If one is infinite or none, the scale is NaN: all are read as NaN.</param>
    /// <param name="codes">Overwritten.</param>
    public static float Quantize(ReadOnlySpan<float> block, Span<sbyte> codes)
    {
        var low = Vector512.Create(block);
        var high = Vector512.Create(block[Vector512<float>.Count..]);

        // The largest magnitude's bits, as of an integer: a NaN is above infinity.
        var bits = Vector512.Max(Vector512.Abs(low).AsInt32(), Vector512.Abs(high).AsInt32());
        int most = 0;
        for (int i = 0; i < Vector512<int>.Count; i++)
        {
            most = Math.Max(most, bits[i]);
        }

        float scale = ScaleOf(most >= Infinity ? float.NaN : BitConverter.Int32BitsToSingle(most));
        if (!(scale > 0))
        {
            codes[..BlockElements].Clear();
            return scale;
        }

        Codes(low, scale).CopyTo(codes);
        Codes(high, scale).CopyTo(codes[Vector512<float>.Count..]);
        return scale;
    }

    /// <summary>Stores numbers as groups of four blocks.</summary>
    /// <param name="values">So many; what the last group lacks is taken for 0.</param>
    /// <param name="stored">Of <see cref="DTypes.SizeOf"/> so many.</param>
    public static void Store(ReadOnlySpan<float> values, Span<byte> stored)
    {
        Span<float> filled = stackalloc float[GroupElements];
        for (int first = 0, at = 0; first < values.Length; first += GroupElements, at += GroupBytes)
        {
            scoped var group = values[first..];
            if (group.Length < GroupElements)
            {
                filled.Clear();
                group.CopyTo(filled);
                group = filled;
            }

            var scales = MemoryMarshal.Cast<byte, float>(stored.Slice(at, ScalesBytes));
            var codes = MemoryMarshal.Cast<byte, sbyte>(stored.Slice(at + ScalesBytes, GroupElements));
            for (int b = 0; b < scales.Length; b++)
            {
                scales[b] = Quantize(group.Slice(b * BlockElements, BlockElements), codes[(b * BlockElements)..]);
            }
        }
    }

    /// <summary>Reads numbers from the start of a group on, each code times scale rounded to fp32.</summary>
    /// <param name="stored">Whole groups.</param>
    /// <param name="values">Overwritten; its length says how many.</param>
    public static void Load(ReadOnlySpan<byte> stored, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            var (group, within) = Math.DivRem(i, GroupElements);
            var bytes = stored.Slice(group * GroupBytes, GroupBytes);
            float scale = MemoryMarshal.Cast<byte, float>(bytes)[within / BlockElements];
            values[i] = (sbyte)bytes[ScalesBytes + within] * scale;
        }
    }

    private static float CodeOf(float number, float scale) => Math.Clamp(MathF.Round(number / scale), -Most, Most);

    private static Vector128<sbyte> Codes(Vector512<float> numbers, float scale)
    {
        var rounded = Vector512.Round(numbers / Vector512.Create(scale));
        var codes = Vector512.ConvertToInt32(Vector512.Clamp(rounded, Vector512.Create(-(float)Most), Vector512.Create((float)Most)));
        var half = Vector256.Narrow(codes.GetLower(), codes.GetUpper());
        return Vector128.Narrow(half.GetLower(), half.GetUpper());
    }
}
