using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// All that the kernel calls of a step are given of its <see cref="StepArguments"/> by value, where the rest is read from memory when they
/// run: two steps of a schedule with the same values make the same calls.
/// </summary>
/// <param name="Extent">Of a step that continues sequences: how many rows its kernels have.</param>
/// <param name="Updates">Which elements are updated alike; tables are the same where they are the same object.</param>
/// <param name="Iteration">How Muon makes a matrix orthogonal.</param>
/// <param name="Adjustment">By what Muon multiplies the learning rate.</param>
public readonly record struct LaunchValues(
    StepExtent? Extent,
    UpdateTable? Updates,
    NewtonSchulz Iteration,
    MuonAdjustment Adjustment
)
{
    /// <summary>Those of a step.</summary>
    public static LaunchValues Of(in StepArguments step) =>
        new(step.Extent, step.Updates, step.Optimizer.Iteration, step.Optimizer.Adjustment);
}
