using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>A scale d and 32 signed bytes: d q.</summary>
internal sealed class Q8_0Blocks() : BlockFormat(8, "Q8_0", 32, 34)
{
    /// <inheritdoc/>
    public override bool CanQuantize => true;

    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block);
        for (int i = 0; i < 32; i++)
        {
            values[i] = d * (sbyte)block[2 + i];
        }
    }

    /// <summary>The greatest size becomes 127; halves are rounded away from zero.</summary>
    protected override void QuantizeBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float most = 0;
        foreach (float value in values)
        {
            most = Math.Max(most, Math.Abs(value));
        }

        float d = most / 127;
        float inverse = d == 0 ? 0 : 1 / d;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)d);
        for (int i = 0; i < 32; i++)
        {
            block[2 + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }
}
