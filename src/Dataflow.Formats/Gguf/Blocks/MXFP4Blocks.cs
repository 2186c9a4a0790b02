namespace Dataflow.Formats;

/// <summary>A scale that is a power of two and 32 floats of 4 bits, low halves of bytes first.</summary>
internal sealed class MXFP4Blocks() : BlockFormat(39, "MXFP4", 32, 17)
{
    /// <inheritdoc/>
    protected override void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float half = HalfOfPower(block[0]);
        for (int i = 0; i < 16; i++)
        {
            values[i] = half * SmallFloats.Doubled[block[1 + i] & 15];
            values[i + 16] = half * SmallFloats.Doubled[block[1 + i] >> 4];
        }
    }

    // 2^(code - 128); the two least are not normal numbers.
    private static float HalfOfPower(byte code) =>
        BitConverter.UInt32BitsToSingle(code < 2 ? 0x00200000u << code : (uint)(code - 1) << 23);
}
