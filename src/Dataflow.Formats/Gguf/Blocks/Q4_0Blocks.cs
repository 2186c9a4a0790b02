using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>A scale d and 32 codes of 4 bits, low halves of bytes first: d (q - 8).</summary>
internal sealed class Q4_0Blocks() : BlockFormat(2, "Q4_0", 32, 18)
{
    /// <inheritdoc/>
    public override bool CanQuantize => true;

    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = Half(block);
        for (int i = 0; i < 16; i++)
        {
            int codes = block[2 + i];
            values[i] = d * ((codes & 15) - 8);
            values[i + 16] = d * ((codes >> 4) - 8);
        }
    }

    /// <summary>The value of the greatest size becomes code 0, which stands for -8, whatever its sign; halves are rounded up.</summary>
    protected override void QuantizeBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float most = values[0];
        foreach (float value in values)
        {
            most = Math.Abs(value) > Math.Abs(most) ? value : most;
        }

        float d = most / -8;
        float inverse = d == 0 ? 0 : 1 / d;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)d);
        for (int i = 0; i < 16; i++)
        {
            block[2 + i] = (byte)(Code(values[i], inverse) | (Code(values[i + 16], inverse) << 4));
        }
    }

    // As with a fused multiply-add: product and sum are rounded once.
    private static int Code(float value, float inverse) => (int)Math.Clamp((float)(((double)value * inverse) + 8.5), 0, 15);
}
