using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>A scale d, a minimum m, 32 fifth bits, and 32 codes of 4 bits, low halves of bytes first: d q + m.</summary>
internal sealed class Q5_1Blocks() : BlockFormat(7, "Q5_1", 32, 24)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block), m = Half(block[2..]);
        uint fifth = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        for (int i = 0; i < 16; i++)
        {
            int codes = block[8 + i];
            values[i] = (d * ((codes & 15) | (int)((fifth >> i) & 1) << 4)) + m;
            values[i + 16] = (d * ((codes >> 4) | (int)((fifth >> (i + 16)) & 1) << 4)) + m;
        }
    }
}
