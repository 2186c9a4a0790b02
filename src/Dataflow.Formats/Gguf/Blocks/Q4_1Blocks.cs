namespace Dataflow.Formats;

/// <summary>A scale d, a minimum m and 32 codes of 4 bits, low halves of bytes first: d q + m.</summary>
internal sealed class Q4_1Blocks() : BlockFormat(3, "Q4_1", 32, 20)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block), m = Half(block[2..]);
        for (int i = 0; i < 16; i++)
        {
            int codes = block[4 + i];
            values[i] = (d * (codes & 15)) + m;
            values[i + 16] = (d * (codes >> 4)) + m;
        }
    }
}
