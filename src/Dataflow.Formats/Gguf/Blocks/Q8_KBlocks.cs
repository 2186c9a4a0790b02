using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>A scale d in fp32, 256 signed bytes, and sums of sixteen that are not read: d q.</summary>
internal sealed class Q8_KBlocks() : BlockFormat(15, "Q8_K", 256, 292)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BinaryPrimitives.ReadSingleLittleEndian(block);
        for (int i = 0; i < 256; i++)
        {
            values[i] = d * (sbyte)block[4 + i];
        }
    }
}
