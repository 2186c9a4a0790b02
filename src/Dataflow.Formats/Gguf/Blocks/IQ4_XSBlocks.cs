using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>d of the block, 8 scales of 6 bits, 256 codes of uneven levels: d (s - 32) v.</summary>
internal sealed class IQ4_XSBlocks() : BlockFormat(23, "IQ4_XS", 256, 136)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block);
        int high = BinaryPrimitives.ReadUInt16LittleEndian(block[2..]);
        for (int i = 0; i < 256; i++)
        {
            int group = i / 32;
            int scale = ((block[4 + (group / 2)] >> (group % 2 * 4)) & 15) | (((high >> (group * 2)) & 3) << 4);
            int code = (block[8 + (group * 16) + (i % 16)] >> (i / 16 % 2 * 4)) & 15;
            values[i] = d * (scale - 32) * UnevenLevels.Values[code];
        }
    }
}
