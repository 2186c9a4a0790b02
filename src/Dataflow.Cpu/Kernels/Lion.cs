using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>Lion (<see cref="UpdateRule.Lion"/>). Of a sum that is no number the sign is none either.</summary>
internal readonly record struct Lion(
    float Keep, float Beta1, float OneMinusBeta1, float Beta2, float OneMinusBeta2, float Rate) : IElementRule<Lion>
{
    /// <inheritdoc/>
    public static Lion Of(in OptimizerSettings s, int step)
    {
        double beta1 = Decimals.Written(s.Beta1);
        double beta2 = Decimals.Written(s.Beta2);
        return new Lion(
            Keep: (float)(1 - ((double)s.LearningRate * s.WeightDecay)),
            Beta1: s.Beta1,
            OneMinusBeta1: (float)(1 - beta1),
            Beta2: s.Beta2,
            OneMinusBeta2: (float)(1 - beta2),
            Rate: s.LearningRate);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply(ref Vector512<float> weight, Vector512<float> gradient, Span<Vector512<float>> moments)
    {
        Vector512<float> momentum = moments[0];
        Vector512<float> sum = (momentum * Vector512.Create(Beta1)) + (gradient * Vector512.Create(OneMinusBeta1));
        Vector512<float> sign = Vector512.ConditionalSelect(
            Vector512.GreaterThan(sum, Vector512<float>.Zero),
            Vector512<float>.One,
            Vector512.ConditionalSelect(Vector512.LessThan(sum, Vector512<float>.Zero), -Vector512<float>.One, sum)
        );
        weight = (weight * Vector512.Create(Keep)) - (Vector512.Create(Rate) * sign);
        moments[0] = (momentum * Vector512.Create(Beta2)) + (gradient * Vector512.Create(OneMinusBeta2));
    }
}
