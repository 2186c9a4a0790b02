namespace Dataflow.Formats;

/// <summary>256 codes of three levels in 2 bits, and a scale d: d (q - 1).</summary>
internal sealed class TQ2_0Blocks() : BlockFormat(35, "TQ2_0", 256, 66)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block[64..]);
        for (int i = 0; i < 256; i++)
        {
            values[i] = d * (((block[(i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2)) & 3) - 1);
        }
    }
}
