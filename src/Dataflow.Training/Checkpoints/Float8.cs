namespace Dataflow.Training;

/// <summary>
/// The numbers that codes of F8_E4M3 stand for: a sign, 4 bits of exponent with a bias of 7, and 3 of mantissa. There is no infinity; the
/// two codes with all other bits set are NaN, and the largest number is 448. https://arxiv.org/abs/2209.05433
/// </summary>
internal static class Float8
{
    private const int MantissaBits = 3;
    private const int ExponentMask = 0xF;
    private const int Bias = 7;

    private static readonly float[] s_e4m3 = [.. Enumerable.Range(0, 256).Select(code => Decode((byte)code))];

    /// <summary>By code.</summary>
    public static ReadOnlySpan<float> E4M3 => s_e4m3;

    private static float Decode(byte code)
    {
        int mantissa = code & ((1 << MantissaBits) - 1);
        int exponent = (code >> MantissaBits) & ExponentMask;
        float magnitude = (code & 0x7F) == 0x7F ? float.NaN
            : exponent == 0 ? MathF.ScaleB(mantissa, 1 - Bias - MantissaBits)
            : MathF.ScaleB((1 << MantissaBits) + mantissa, exponent - Bias - MantissaBits);
        return code > 0x7F ? -magnitude : magnitude;
    }
}
