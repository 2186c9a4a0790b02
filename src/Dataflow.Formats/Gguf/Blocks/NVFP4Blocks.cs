namespace Dataflow.Formats;

/// <summary>Four times a scale of 8 bits without a sign and 16 floats of 4 bits, low halves of bytes first.</summary>
internal sealed class NVFP4Blocks() : BlockFormat(40, "NVFP4", 64, 36)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        for (int i = 0; i < 64; i++)
        {
            int group = i / 16;
            int code = (block[4 + (group * 8) + (i % 8)] >> (i / 8 % 2 * 4)) & 15;
            values[i] = HalfOfScale(block[group]) * SmallFloats.Doubled[code];
        }
    }

    // Four bits of exponent with a bias of 7, three of mantissa; all ones, with or without the sign's bit, and 0 stand for 0.
    private static float HalfOfScale(byte code)
    {
        int exponent = (code >> 3) & 15, mantissa = code & 7;
        return (code & 0x7F) == 0x7F ? 0
            : exponent == 0 ? mantissa * (1f / 1024)
            : BitConverter.Int32BitsToSingle(((exponent - 8 + 127) << 23) | (mantissa << 20));
    }
}
