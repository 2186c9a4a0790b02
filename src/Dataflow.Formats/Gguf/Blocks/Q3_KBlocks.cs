namespace Dataflow.Formats;

/// <summary>256 third bits, 256 codes of 2 bits, 16 scales of 6 bits, d of the block: d (s - 32) q, less 4 without the third.</summary>
internal sealed class Q3_KBlocks() : BlockFormat(11, "Q3_K", 256, 110)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block[108..]);
        for (int i = 0; i < 256; i++)
        {
            int low = (block[32 + (i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2)) & 3;
            int third = (block[i % 32] >> (i / 32)) & 1;
            values[i] = d * (Scale(block[96..], i / 16) - 32) * (low - ((third ^ 1) << 2));
        }
    }

    // Four low bits each in eight bytes, first the low halves, and two high ones each in four.
    private static int Scale(ReadOnlySpan<byte> packed, int index) =>
        ((packed[index % 8] >> (index / 8 * 4)) & 15) | (((packed[8 + (index % 4)] >> (index / 4 * 2)) & 3) << 4);
}
