using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Decoupled AdamW (<see cref="UpdateRule.AdamW"/>) in the order of PyTorch's: w *= 1 - lr weight_decay; m += (1 - beta1) (g - m);
/// v = beta2 v + (1 - beta2) g^2; w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps). What is the same for all elements is
/// computed in double, then rounded.
/// </summary>
internal readonly record struct AdamW(
    float Keep, float OneMinusBeta1, float Beta2, float OneMinusBeta2, float Rate, float Correction, float Epsilon) : IElementRule<AdamW>
{
    /// <inheritdoc/>
    public static AdamW Of(in OptimizerSettings s, int step)
    {
        double rate = s.LearningRate;
        double beta1 = Decimals.Written(s.Beta1);
        double beta2 = Decimals.Written(s.Beta2);
        return new AdamW(
            Keep: (float)(1 - (rate * s.WeightDecay)),
            OneMinusBeta1: (float)(1 - beta1),
            Beta2: (float)beta2,
            OneMinusBeta2: (float)(1 - beta2),
            Rate: (float)(rate / (1 - Math.Pow(beta1, step))),
            Correction: (float)Math.Sqrt(1 - Math.Pow(beta2, step)),
            Epsilon: s.Epsilon);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply(ref Vector512<float> weight, Vector512<float> gradient, Span<Vector512<float>> moments)
    {
        Vector512<float> first = moments[0], second = moments[1];
        first += Vector512.Create(OneMinusBeta1) * (gradient - first);
        second = (second * Vector512.Create(Beta2)) + (gradient * gradient * Vector512.Create(OneMinusBeta2));
        Vector512<float> divisor = (Vector512.Sqrt(second) / Vector512.Create(Correction)) + Vector512.Create(Epsilon);
        weight = (weight * Vector512.Create(Keep)) - (Vector512.Create(Rate) * first / divisor);
        (moments[0], moments[1]) = (first, second);
    }
}
