namespace Dataflow.Formats;

/// <summary>16 scales and minima of 4 bits, 256 codes of 2 bits, d and m of the block: d s q - m t.</summary>
internal sealed class Q2_KBlocks() : BlockFormat(10, "Q2_K", 256, 84)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block[80..]), m = Half(block[82..]);
        for (int i = 0; i < 256; i++)
        {
            int scales = block[i / 16];
            int code = (block[16 + (i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2)) & 3;
            values[i] = (d * (scales & 15) * code) - (m * (scales >> 4));
        }
    }
}
