using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels;

/// <summary>Stochastic gradient descent with momentum (<see cref="UpdateRule.Sgd"/>).</summary>
internal readonly record struct Sgd(float Decay, float Momentum, float Nesterov, float Rate) : IElementRule<Sgd>
{
    /// <inheritdoc/>
    public static Sgd Of(in OptimizerSettings s, int step) => new(s.WeightDecay, s.Momentum, s.Nesterov, s.LearningRate);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply(ref Vector512<float> weight, Vector512<float> gradient, Span<Vector512<float>> moments)
    {
        Vector512<float> slope = gradient + (weight * Vector512.Create(Decay));
        Vector512<float> sum = (moments[0] * Vector512.Create(Momentum)) + slope;
        Vector512<float> ahead = slope + (sum * Vector512.Create(Momentum));
        weight -= Vector512.Create(Rate) * (sum + ((ahead - sum) * Vector512.Create(Nesterov)));
        moments[0] = sum;
    }
}
