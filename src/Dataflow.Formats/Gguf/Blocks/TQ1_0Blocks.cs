namespace Dataflow.Formats;

/// <summary>256 codes of three levels, five or four in a byte in base 3, and a scale d: d (q - 1).</summary>
internal sealed class TQ1_0Blocks() : BlockFormat(34, "TQ1_0", 256, 54)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block[52..]);
        for (int i = 0; i < 256; i++)
        {
            var (at, digit) = i < 160 ? (i % 32, i / 32)
                : i < 240 ? (32 + (i % 16), (i - 160) / 16)
                : (48 + (i % 4), (i - 240) / 4);
            byte shifted = (byte)(block[at] * Powers[digit]);
            values[i] = d * (((shifted * 3) >> 8) - 1);
        }
    }

    // A byte is a fraction in base 3: multiplied, what is before the point falls off.
    private static ReadOnlySpan<byte> Powers => [1, 3, 9, 27, 81];
}
