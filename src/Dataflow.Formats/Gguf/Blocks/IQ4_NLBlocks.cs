namespace Dataflow.Formats;

/// <summary>A scale d and 32 codes of uneven levels, low halves of bytes first: d v.</summary>
internal sealed class IQ4_NLBlocks() : BlockFormat(20, "IQ4_NL", 32, 18)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block);
        for (int i = 0; i < 16; i++)
        {
            values[i] = d * UnevenLevels.Values[block[2 + i] & 15];
            values[i + 16] = d * UnevenLevels.Values[block[2 + i] >> 4];
        }
    }
}
