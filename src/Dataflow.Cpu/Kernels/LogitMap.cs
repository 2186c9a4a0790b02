namespace Dataflow.Cpu.Kernels;

/// <summary>What a model does to its logits before the softmax: multiplies them, then may bound them by c tanh(logit / c).</summary>
/// <param name="Scale">Above 0.</param>
/// <param name="Softcap">c, above 0; null bounds nothing.</param>
public readonly record struct LogitMap(float Scale, float? Softcap)
{
    /// <summary>Logits as they are.</summary>
    public static LogitMap Identity { get; } = new(1, null);
}
