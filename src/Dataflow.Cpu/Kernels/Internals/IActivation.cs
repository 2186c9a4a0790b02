using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>An activation known at compile time.</summary>
internal interface IActivation
{
    /// <summary>The activation and its derivative.</summary>
    static abstract ActivationPoint At(Vector512<float> g);
}

/// <summary>An activation and its derivative at sixteen places.</summary>
internal readonly struct ActivationPoint(Vector512<float> value, Vector512<float> slope)
{
    public Vector512<float> Value { get; } = value;

    public Vector512<float> Slope { get; } = slope;
}

/// <summary>silu(g) = g sigma(g), with the derivative sigma(g) (1 + g (1 - sigma(g))).</summary>
internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ActivationPoint At(Vector512<float> g)
    {
        Vector512<float> sigmoid = Vector512<float>.One / (Vector512<float>.One + VectorMath.Exp(-g));
        Vector512<float> silu = g * sigmoid;
        return new ActivationPoint(silu, Vector512.FusedMultiplyAdd(silu, Vector512<float>.One - sigmoid, sigmoid));
    }
}

/// <summary>gelu(g) = g Phi(g), with the derivative Phi(g) + g phi(g) by the normal distribution's function and density.</summary>
internal readonly struct Gelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ActivationPoint At(Vector512<float> g)
    {
        Vector512<float> density = VectorMath.NormalDensity(g);
        Vector512<float> below = VectorMath.NormalDistribution(g, density);
        return new ActivationPoint(g * below, Vector512.FusedMultiplyAdd(g, density, below));
    }
}

/// <summary>
/// (1 + tanh(u)) / 2 is sigma(2 u), so that gelu(g) = g sigma(z) with z = 2 sqrt(2 / pi) (g + 0.044715 g^3), and the derivative is
/// sigma(z) + g z' sigma(z) (1 - sigma(z)).
/// </summary>
internal readonly struct GeluTanh : IActivation
{
    private const float Linear = 1.5957691f;
    private const float Cubic = 0.071354814f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ActivationPoint At(Vector512<float> g)
    {
        Vector512<float> square = g * g;
        Vector512<float> z = g * Vector512.FusedMultiplyAdd(square, Vector512.Create(Cubic), Vector512.Create(Linear));
        Vector512<float> growth = Vector512.FusedMultiplyAdd(square, Vector512.Create(3 * Cubic), Vector512.Create(Linear));
        Vector512<float> sigmoid = Vector512<float>.One / (Vector512<float>.One + VectorMath.Exp(-z));
        Vector512<float> gelu = g * sigmoid;
        Vector512<float> bend = gelu * (Vector512<float>.One - sigmoid);
        return new ActivationPoint(gelu, Vector512.FusedMultiplyAdd(bend, growth, sigmoid));
    }
}

/// <summary>max(g, 0), with the derivative 0 at 0.</summary>
internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ActivationPoint At(Vector512<float> g)
    {
        Vector512<float> positive = Vector512.GreaterThan(g, Vector512<float>.Zero);
        return new ActivationPoint(
            Vector512.ConditionalSelect(positive, g, Vector512<float>.Zero),
            Vector512.ConditionalSelect(positive, Vector512<float>.One, Vector512<float>.Zero)
        );
    }
}

/// <summary>max(g, 0)^2, with the derivative 2 max(g, 0).</summary>
internal readonly struct SquaredRelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ActivationPoint At(Vector512<float> g)
    {
        Vector512<float> relu = Relu.At(g).Value;
        return new ActivationPoint(relu * relu, relu + relu);
    }
}
