namespace Dataflow.Formats;

/// <summary>d and m of the block, 8 scales and minima of 6 bits, 256 fifth bits, 256 codes of 4 bits: d s q - m t.</summary>
internal sealed class Q5_KBlocks() : BlockFormat(13, "Q5_K", 256, 176)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block), m = Half(block[2..]);
        for (int i = 0; i < 256; i++)
        {
            var (scale, minimum) = ScalesOfSix.At(block[4..16], i / 32);
            int code = (block[48 + (i / 64 * 32) + (i % 32)] >> (i / 32 % 2 * 4)) & 15;
            int fifth = (block[16 + (i % 32)] >> (i / 32)) & 1;
            values[i] = (d * scale * (code | (fifth << 4))) - (m * minimum);
        }
    }
}
