using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>A gated unit known at compile time: the product of a function of the gate and a function of up.</summary>
internal interface IGatedUnit
{
    /// <summary>That of the gate, and its derivative.</summary>
    ActivationPoint Gate(Vector512<float> g);

    /// <summary>That of up, likewise.</summary>
    ActivationPoint Up(Vector512<float> u);
}

/// <summary>An activation of the gate, times up as it is.</summary>
internal readonly struct PlainUnit<TActivation> : IGatedUnit
    where TActivation : struct, IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ActivationPoint Gate(Vector512<float> g) => TActivation.At(g);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ActivationPoint Up(Vector512<float> u) => new(u, Vector512<float>.One);
}

/// <summary>
/// g sigma(1.702 g) of g = min(gate, limit), times 1 + clamp(up, -limit, limit) (gpt-oss). What is beyond the limit has no gradient; what
/// lies on it has.
/// </summary>
internal readonly struct ClampedUnit(float limit) : IGatedUnit
{
    private const float Steepness = 1.702f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ActivationPoint Gate(Vector512<float> g)
    {
        Vector512<float> most = Vector512.Create(limit), bounded = Vector512.Min(g, most);
        Vector512<float> z = bounded * Vector512.Create(Steepness);
        Vector512<float> sigmoid = Vector512<float>.One / (Vector512<float>.One + VectorMath.Exp(-z));
        Vector512<float> slope = Vector512.FusedMultiplyAdd(z * sigmoid, Vector512<float>.One - sigmoid, sigmoid);
        Vector512<float> passes = Vector512.LessThanOrEqual(g, most);
        return new(bounded * sigmoid, Vector512.ConditionalSelect(passes, slope, Vector512<float>.Zero));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ActivationPoint Up(Vector512<float> u)
    {
        Vector512<float> most = Vector512.Create(limit), bounded = Vector512.Max(Vector512.Min(u, most), -most);
        Vector512<float> passes = Vector512.LessThanOrEqual(Vector512.Abs(u), most);
        return new(
            bounded + Vector512<float>.One, Vector512.ConditionalSelect(passes, Vector512<float>.One, Vector512<float>.Zero));
    }
}
