using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>A scale d, 32 fifth bits, and 32 codes of 4 bits, low halves of bytes first: d (q - 16).</summary>
internal sealed class Q5_0Blocks() : BlockFormat(6, "Q5_0", 32, 22)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block);
        uint fifth = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        for (int i = 0; i < 16; i++)
        {
            int codes = block[6 + i];
            values[i] = d * (((codes & 15) | (int)((fifth >> i) & 1) << 4) - 16);
            values[i + 16] = d * (((codes >> 4) | (int)((fifth >> (i + 16)) & 1) << 4) - 16);
        }
    }
}
