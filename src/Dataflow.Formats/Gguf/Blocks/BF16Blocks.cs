using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>bf16, rounded to nearest even where it is written; a NaN stays one.</summary>
internal sealed class BF16Blocks() : BlockFormat(30, "BF16", 1, 2)
{
    /// <inheritdoc/>
    public override bool CanQuantize => true;

    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values) =>
        values[0] = BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(block) << 16);

    /// <inheritdoc/>
    protected override void QuantizeBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        uint bits = BitConverter.SingleToUInt32Bits(values[0]);
        uint rounded = float.IsNaN(values[0]) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
        BinaryPrimitives.WriteUInt16LittleEndian(block, (ushort)rounded);
    }
}
