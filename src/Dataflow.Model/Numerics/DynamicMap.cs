using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// 256 numbers of which a number is stored as the nearest, a byte: dense near 0 and near 1, where moments lie (Dettmers and others, 2022,
/// "8-bit Optimizers via Block-wise Quantization"). A block of <see cref="BlockElements"/> numbers shares a scale, by which they are
/// divided. The rule is that of torchao 0.18 to the bit, in fp32; what this type computes is the definition for all devices.
/// </summary>
public sealed class DynamicMap
{
    /// <summary>Numbers of a block: consecutive elements of one tensor of a checkpoint.</summary>
    public const int BlockElements = 256;

    /// <summary>The smallest scale, that of a block of zeros.</summary>
    public const float LeastScale = 1e-12f;

    private const int CodeCount = 256;
    private const uint Infinity = 0x7F800000;

    // Each power of ten has twice as many numbers as the one below it.
    private static readonly float[] s_powers = [1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1];

    private DynamicMap(bool isSigned)
    {
        float[] positive = [.. s_powers.SelectMany((power, i) => Decade(power, isSigned ? 1 << i : 2 << i))];
        Values = [.. isSigned ? positive.Reverse().Select(v => -v) : [], 0, .. positive, 1];
        Thresholds = [float.NegativeInfinity, .. Enumerable.Range(1, CodeCount - 1).Select(Threshold)];
    }

    /// <summary>-0.993 to 1, for numbers of either sign: 0 is code 127, and there is no -1.</summary>
    public static DynamicMap Signed { get; } = new(isSigned: true);

    /// <summary>0 to 1: 0 is code 0.</summary>
    public static DynamicMap Unsigned { get; } = new(isSigned: false);

    /// <summary>By code, ascending.</summary>
    public ImmutableArray<float> Values { get; }

    /// <summary>By code: the least number that has this code or a larger one; minus infinity for code 0.</summary>
    public ImmutableArray<float> Thresholds { get; }

    /// <summary>What a block's numbers are divided by before they are stored, and multiplied by when they are read.</summary>
    /// <returns>The largest magnitude, at least <see cref="LeastScale"/>; infinity or NaN where a number is infinite or none.</returns>
    public static float ScaleOf(ReadOnlySpan<float> block)
    {
        uint most = 0;
        foreach (float number in block)
        {
            most = Math.Max(most, BitConverter.SingleToUInt32Bits(number) & int.MaxValue);
        }

        return ScaleOf(most);
    }

    /// <summary>The same of the largest magnitude's bits, taken as an integer, among which NaNs are above infinity.</summary>
    public static float ScaleOf(uint mostBits) =>
        BitConverter.UInt32BitsToSingle(
            mostBits > Infinity ? 0x7FC00000 : Math.Max(mostBits, BitConverter.SingleToUInt32Bits(LeastScale))
        );

    /// <summary>
    /// The code of a number that has been divided by its block's scale: of the largest value that is not above it, or the next one's if
    /// what remains is at least half of the gap between them. Ties go up. Below the least value, and for what is no number, 0.
    /// </summary>
    public byte CodeOf(float scaled)
    {
        int code = 0;
        for (int step = CodeCount / 2; step > 0; step /= 2)
        {
            code += scaled >= Values[code + step] ? step : 0;
        }

        int next = Math.Min(code + 1, CodeCount - 1);
        return (byte)(scaled - Values[code] >= (Values[next] - Values[code]) * 0.5f ? next : code);
    }

    /// <summary>Stores a block and returns its scale.</summary>
    /// <param name="block">Of any length, which the codes have, too.</param>
    /// <param name="codes">Overwritten.</param>
    public float Quantize(ReadOnlySpan<float> block, Span<byte> codes)
    {
        float scale = ScaleOf(block);
        for (int i = 0; i < block.Length; i++)
        {
            codes[i] = CodeOf(block[i] / scale);
        }

        return scale;
    }

    /// <summary>Reads a block: of a scale that is not finite, code 0 of unsigned and 127 of signed numbers give NaN.</summary>
    public void Dequantize(ReadOnlySpan<byte> codes, float scale, Span<float> block)
    {
        for (int i = 0; i < codes.Length; i++)
        {
            block[i] = Values[codes[i]] * scale;
        }
    }

    /// <summary>The means of the borders of so many equal parts of [0.1, 1], times a power of ten.</summary>
    private static IEnumerable<float> Decade(float power, int count)
    {
        // PyTorch's linspace: each half from its own end, products not rounded.
        float step = (1 - 0.1f) / count;
        float Border(int i) =>
            2 * i < count ? MathF.FusedMultiplyAdd(step, i, 0.1f) : MathF.FusedMultiplyAdd(-step, count - i, 1);
        return Enumerable.Range(0, count).Select(i => power * ((Border(i) + Border(i + 1)) * 0.5f));
    }

    private float Threshold(int code)
    {
        float below = Values[code - 1], value = Values[code];
        float at = Math.Min(below + ((value - below) * 0.5f), value);
        while (CodeOf(at) < code)
        {
            at = MathF.BitIncrement(at);
        }

        while (CodeOf(MathF.BitDecrement(at)) >= code)
        {
            at = MathF.BitDecrement(at);
        }

        return at;
    }
}
