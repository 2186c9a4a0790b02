using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>fp16, rounded to nearest even where it is written.</summary>
internal sealed class F16Blocks() : BlockFormat(1, "F16", 1, 2)
{
    /// <inheritdoc/>
    public override bool CanQuantize => true;

    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values) => values[0] = Half(block);

    /// <inheritdoc/>
    protected override void QuantizeBlock(ReadOnlySpan<float> values, Span<byte> block) =>
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)values[0]);
}
