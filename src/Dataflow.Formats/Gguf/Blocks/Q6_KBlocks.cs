namespace Dataflow.Formats;

/// <summary>256 low halves and 256 pairs of high bits of codes, 16 signed scales, d of the block: d s (q - 32).</summary>
internal sealed class Q6_KBlocks() : BlockFormat(14, "Q6_K", 256, 210)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block[208..]);
        for (int i = 0; i < 256; i++)
        {
            int low = (block[(i / 128 * 64) + (i % 64)] >> (i / 64 % 2 * 4)) & 15;
            int high = (block[128 + (i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2)) & 3;
            values[i] = d * (sbyte)block[192 + (i / 16)] * ((low | (high << 4)) - 32);
        }
    }
}
