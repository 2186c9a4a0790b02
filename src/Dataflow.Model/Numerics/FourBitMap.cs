using System.Collections.Immutable;
using System.Runtime.Intrinsics;

namespace Dataflow.Model;

/// <summary>
/// 16 numbers of which a number is stored as the nearest, half a byte. A block of consecutive numbers of a tensor shares a scale, its
/// largest magnitude, by which they are divided. The rule is that of bitsandbytes 0.50 to the bit, in fp32; what this type computes is the
/// definition for all devices.
/// </summary>
public sealed class FourBitMap
{
    /// <summary>Numbers that share a scale.</summary>
    public const int BlockElements = 64;

    private const int CodeCount = 16;
    private const float Least = 1e-38f;
    private const int Infinity = 0x7F800000;

    // Ascending: the codes, and what a number must be above to have a code, or a later one of these.
    private readonly Vector128<byte> codes;
    private readonly ImmutableArray<float> thresholds;

    private FourBitMap(params ImmutableArray<float> values)
    {
        Values = values;
        byte[] order = [.. Enumerable.Range(0, CodeCount).OrderBy(c => values[c]).ThenBy(c => c).Select(c => (byte)c)];
        codes = Vector128.Create(order);
        thresholds = [.. Enumerable.Range(1, CodeCount - 1).Select(i => (values[order[i - 1]] + values[order[i]]) / 2)];
    }

    /// <summary>
    /// Quantiles of a normal distribution, from -1 to 1 (Dettmers and others, 2023, "QLoRA: Efficient Finetuning of Quantized LLMs").
    /// </summary>
    public static FourBitMap Nf4 { get; } = new(
        -1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
        -0.09105003625154495f, 0, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1);

    /// <summary>A sign, two bits of an exponent and one of a mantissa, by 12; there are two zeros.</summary>
    public static FourBitMap Fp4 { get; } = new(
        0, 0.0052083334885537624f, 0.6666666865348816f, 1, 0.3333333432674408f, 0.5f, 0.1666666716337204f, 0.25f,
        0, -0.0052083334885537624f, -0.6666666865348816f, -1, -0.3333333432674408f, -0.5f, -0.1666666716337204f, -0.25f);

    /// <summary>By code.</summary>
    public ImmutableArray<float> Values { get; }

    /// <summary>The code of a number that has been divided by its block's scale: of the nearest value, ties down.</summary>
    public byte CodeOf(float scaled)
    {
        int place = 0;
        foreach (float threshold in thresholds)
        {
            place += scaled > threshold ? 1 : 0;
        }

        return codes[place];
    }

    /// <summary>Stores a block and returns its scale.</summary>
    /// <param name="block">Of any length.</param>
    /// <param name="packed">Overwritten: two codes a byte, the first in its high half; a last one alone has that of 0 beside it.</param>
    /// <param name="isShort">It is a tensor's last one, and has fewer numbers than the others.</param>
    /// <returns>The largest magnitude; NaN where a number is infinite or none: all are read as NaN.</returns>
    public float Quantize(ReadOnlySpan<float> block, Span<byte> packed, bool isShort = false)
    {
        int most = 0;
        foreach (float number in block)
        {
            // As integers; a NaN is above infinity.
            most = Math.Max(most, BitConverter.SingleToInt32Bits(number) & int.MaxValue);
        }

        float scale = most >= Infinity ? float.NaN : BitConverter.Int32BitsToSingle(most), divisor = Math.Max(scale, Least);
        float factor = 1 / divisor;
        int i = 0;
        for (; !isShort && i + Vector512<float>.Count <= block.Length; i += Vector512<float>.Count)
        {
            Pack(Places(Vector512.Create(block[i..]) * factor), packed[(i / 2)..]);
        }

        for (; i < block.Length; i += 2)
        {
            int first = Code(block[i]), second = i + 1 < block.Length ? Code(block[i + 1]) : CodeOf(0);
            packed[i / 2] = (byte)((first << 4) | second);
        }

        int Code(float number) => CodeOf(Math.Clamp(isShort ? number / divisor : number * factor, -1, 1));

        return scale;
    }

    /// <summary>Reads a block, each value times the scale rounded to fp32.</summary>
    /// <param name="packed">Two codes a byte.</param>
    /// <param name="scale">Of the block.</param>
    /// <param name="block">Overwritten; its length says how many.</param>
    public void Dequantize(ReadOnlySpan<byte> packed, float scale, Span<float> block)
    {
        var values = Values.AsSpan();
        for (int i = 0; i < block.Length; i++)
        {
            block[i] = values[i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15] * scale;
        }
    }

    /// <summary>How many values each number is above, by their ascending order.</summary>
    private Vector128<byte> Places(Vector512<float> scaled)
    {
        scaled = Vector512.Min(Vector512.Max(scaled, Vector512.Create(-1f)), Vector512.Create(1f));
        var places = Vector512<int>.Zero;
        foreach (float threshold in thresholds)
        {
            places -= Vector512.GreaterThan(scaled, Vector512.Create(threshold)).AsInt32();
        }

        var half = Vector256.Narrow(places.GetLower(), places.GetUpper());
        return Vector128.Narrow(half.GetLower(), half.GetUpper()).AsByte();
    }

    /// <summary>The codes of 16 places, two a byte.</summary>
    private void Pack(Vector128<byte> places, Span<byte> packed)
    {
        // The first of a pair is in the low byte.
        var pairs = Vector128.Shuffle(codes, places).AsUInt16();
        var bytes = Vector128.Narrow(((pairs << 4) | (pairs >> 8)) & Vector128.Create((ushort)0xFF), Vector128<ushort>.Zero);
        bytes.GetLower().CopyTo(packed);
    }
}
