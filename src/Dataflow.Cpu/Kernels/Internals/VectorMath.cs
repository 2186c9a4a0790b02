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
}
