using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// What an optimizer's update computes, lane by lane and in fp32; <see cref="Update"/> loads, clips, rounds and stores. An implementation
/// holds what is the same for all elements.
/// </summary>
/// <typeparam name="TSelf">The implementation.</typeparam>
internal interface IElementRule<TSelf>
    where TSelf : struct, IElementRule<TSelf>
{
    /// <summary>The rule of a step.</summary>
    /// <param name="settings">Of the optimizer.</param>
    /// <param name="step">From 1.</param>
    static abstract TSelf Of(in OptimizerSettings settings, int step);

    /// <summary>Replaces weights and moments, which are <see cref="Optimizer.Moments"/> in their order.</summary>
    void Apply(ref Vector512<float> weight, Vector512<float> gradient, Span<Vector512<float>> moments);
}

/// <summary>Numbers as they were written.</summary>
internal static class Decimals
{
    /// <summary>The decimal that a number was written as: 0.999f as 0.999, not 0.99900001287, or 1 - it is 1e-5 of itself off.</summary>
    public static double Written(float value) => (double)(decimal)value;
}
