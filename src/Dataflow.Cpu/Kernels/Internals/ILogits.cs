using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>A <see cref="LogitMap"/> known at compile time; it never falls where its argument rises.</summary>
internal interface ILogits
{
    /// <summary>What the softmax sees of sixteen logits.</summary>
    Vector512<float> Of(Vector512<float> raw);

    /// <summary>The gradient of the raw logits, from that of those mapped and these themselves.</summary>
    Vector512<float> Back(Vector512<float> gradient, Vector512<float> mapped);
}

/// <summary>Logits as they are.</summary>
internal readonly struct RawLogits : ILogits
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Of(Vector512<float> raw) => raw;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Back(Vector512<float> gradient, Vector512<float> mapped) => gradient;
}

/// <summary>scale x.</summary>
internal readonly struct ScaledLogits(float scale) : ILogits
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Of(Vector512<float> raw) => raw * Vector512.Create(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Back(Vector512<float> gradient, Vector512<float> mapped) => gradient * Vector512.Create(scale);
}

/// <summary>y = cap tanh(scale x / cap), with the derivative scale (1 - (y / cap)^2).</summary>
internal readonly struct CappedLogits(float scale, float cap) : ILogits
{
    private readonly float inner = scale / cap;
    private readonly float inverse = 1 / cap;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Of(Vector512<float> raw) => VectorMath.Tanh(raw * Vector512.Create(inner)) * Vector512.Create(cap);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Back(Vector512<float> gradient, Vector512<float> mapped)
    {
        Vector512<float> tanh = mapped * Vector512.Create(inverse);
        return gradient * Vector512.FusedMultiplyAdd(-tanh, tanh, Vector512<float>.One) * Vector512.Create(scale);
    }
}

/// <summary>A <see cref="LogitMap"/> as the calls of one logit at a time want it.</summary>
internal static class Logits
{
    /// <summary>One logit: the bits of its lane among sixteen.</summary>
    public static float Of<TLogits>(this TLogits logits, float raw)
        where TLogits : struct, ILogits => logits.Of(Vector512.Create(raw))[0];
}
