using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// Schedule-free AdamW (<see cref="UpdateRule.ScheduleFree"/>): weights are y, moments z and v. What is the same for all elements is
/// computed in double, then rounded.
/// </summary>
internal readonly record struct ScheduleFree(
    float Beta2, float OneMinusBeta2, float Correction, float Epsilon, float Decay, float Share, float Rate, float RateOfY)
    : IElementRule<ScheduleFree>
{
    /// <inheritdoc/>
    public static ScheduleFree Of(in OptimizerSettings s, int step)
    {
        double beta1 = Decimals.Written(s.Beta1);
        double beta2 = Decimals.Written(s.Beta2);
        return new ScheduleFree(
            Beta2: (float)beta2,
            OneMinusBeta2: (float)(1 - beta2),
            Correction: (float)Math.Sqrt(1 - Math.Pow(beta2, step)),
            Epsilon: s.Epsilon,
            Decay: s.WeightDecay,
            Share: s.AverageShare,
            Rate: s.LearningRate,
            RateOfY: (float)(s.LearningRate * ((beta1 * (1 - (double)s.AverageShare)) - 1)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply(ref Vector512<float> weight, Vector512<float> gradient, Span<Vector512<float>> moments)
    {
        Vector512<float> z = moments[0];
        Vector512<float> second = (moments[1] * Vector512.Create(Beta2)) + (gradient * gradient * Vector512.Create(OneMinusBeta2));
        Vector512<float> divisor = (Vector512.Sqrt(second) / Vector512.Create(Correction)) + Vector512.Create(Epsilon);
        Vector512<float> update = (gradient / divisor) + (Vector512.Create(Decay) * weight);
        weight = weight + (Vector512.Create(Share) * (z - weight)) + (Vector512.Create(RateOfY) * update);
        (moments[0], moments[1]) = (z - (Vector512.Create(Rate) * update), second);
    }
}
