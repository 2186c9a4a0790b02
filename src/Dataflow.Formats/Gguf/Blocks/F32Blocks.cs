using System.Runtime.InteropServices;

namespace Dataflow.Formats;

/// <summary>fp32.</summary>
internal sealed class F32Blocks() : BlockFormat(0, "F32", 1, 4)
{
    /// <inheritdoc/>
    public override bool CanQuantize => true;

    /// <inheritdoc/>
    public override void Dequantize(ReadOnlySpan<byte> blocks, Span<float> values) =>
        MemoryMarshal.Cast<byte, float>(blocks).CopyTo(values);

    /// <inheritdoc/>
    public override void Quantize(ReadOnlySpan<float> values, Span<byte> blocks) => MemoryMarshal.AsBytes(values).CopyTo(blocks);
}
