using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Elementary functions by fixed sequences of fused multiply-adds: the same bits on every processor.</summary>
internal static class VectorMath
{
    /// <summary>Below this, <see cref="Exp"/> gives 0 (the smallest normal fp32 is exp(-87.34)).</summary>
    private const float Underflow = -87f;

    /// <summary>Above this, <see cref="Exp"/> gives infinity (the largest fp32 is exp(88.7228)).</summary>
    private const float Overflow = 88.72f;

    /// <summary>1.5 * 2^23: adding it leaves the nearest integer in the low bits of the sum.</summary>
    private const float Shifter = 12582912f;

    /// <summary>
    /// exp(x) within 1 ulp between <see cref="Underflow"/> and <see cref="Overflow"/>: x = n ln 2 + r with ln 2 in two parts, a
    /// minimax polynomial of degree 6 in r, and n added to the exponent. exp(0) is exactly 1; NaN stays NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.442695041f), Vector512.Create(Shifter));
        Vector512<float> n = shifted - Vector512.Create(Shifter);
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-6.93145752e-1f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-1.42860677e-6f), r);
        Vector512<float> p = Vector512.Create(1.37805939e-3f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.37312452e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.16695364e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.66664720e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.99999851e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        Vector512<float> scaled = (p.AsInt32() + Vector512.ShiftLeft(shifted.AsInt32(), 23)).AsSingle();
        scaled = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(Underflow)), Vector512<float>.Zero, scaled);
        Vector512<float> infinite = Vector512.GreaterThan(x, Vector512.Create(Overflow));
        scaled = Vector512.ConditionalSelect(infinite, Vector512.Create(float.PositiveInfinity), scaled);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), scaled, x);
    }

    /// <summary>exp(-x^2 / 2) / sqrt(2 pi) within 3 ulp: what x^2 loses by rounding is put back as a factor, for large x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> NormalDensity(Vector512<float> x)
    {
        Vector512<float> square = x * x;
        Vector512<float> lost = Vector512.FusedMultiplyAdd(x, x, -square);
        Vector512<float> density = Exp(square * Vector512.Create(-0.5f)) * Vector512.Create(0.39894228f);
        Vector512<float> corrected = Vector512.FusedMultiplyAdd(density, lost * Vector512.Create(-0.5f), density);
        return Vector512.ConditionalSelect(Vector512.Equals(density, Vector512<float>.Zero), density, corrected);
    }

    /// <summary>
    /// The standard normal distribution's function, (1 + erf(x / sqrt(2))) / 2, within 8 ulp of itself down to where it is no normal
    /// number: below 0 it is the density times Mills' ratio, a polynomial of degree 9 in 1 / (1 + 0.35 |x|), fitted to an
    /// error of 3.2e-8 of itself; above 0 it is one minus that.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> NormalDistribution(Vector512<float> x, Vector512<float> density)
    {
        Vector512<float> q =
            Vector512<float>.One / Vector512.FusedMultiplyAdd(Vector512.Abs(x), Vector512.Create(0.35f), Vector512<float>.One);
        Vector512<float> p = Vector512.Create(-0.0730879605f);
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(0.361031878f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(-0.641293083f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(0.399355031f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(-0.0581845921f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(0.264580825f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(0.300347443f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(0.35058584f));
        p = Vector512.FusedMultiplyAdd(p, q, Vector512.Create(0.349978716f));
        Vector512<float> tail = density * p * q;
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), tail, Vector512<float>.One - tail);
    }

    /// <summary>
    /// tanh(x) within 3 ulp: below 0.625 an odd polynomial of degree 11, fitted to an error of 4.4e-9 of itself, else
    /// 1 - 2 / (exp(2 |x|) + 1) with the sign of x.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        Vector512<float> size = Vector512.Abs(x);
        Vector512<float> square = x * x;
        Vector512<float> p = Vector512.Create(-0.00570491122f);
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(0.0206390222f));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(-0.053739696f));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(0.13331442f));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(-0.333332819f));
        Vector512<float> small = Vector512.FusedMultiplyAdd(x * square, p, x);
        Vector512<float> grown = Exp(size + size) + Vector512<float>.One;
        Vector512<float> large = Vector512.CopySign(Vector512<float>.One - (Vector512.Create(2f) / grown), x);
        return Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(0.625f)), small, large);
    }
}
