using Dataflow.Training;

namespace Dataflow;

/// <summary>A step that was taken.</summary>
/// <param name="Step">What the trainer measured.</param>
/// <param name="Steps">Steps that the run is to have, those before it was resumed included.</param>
/// <param name="Flops">Model FLOPs of the step.</param>
/// <param name="LearningRate">That of its update.</param>
/// <param name="Validation">The loss on other data after it, where it was measured.</param>
/// <param name="PredictedSeconds">What the simulator says that a step takes; null where the machine has no profile.</param>
public readonly record struct StepResult(
    StepReport Step,
    int Steps,
    double Flops,
    float LearningRate,
    ValidationResult? Validation = null,
    double? PredictedSeconds = null
)
{
    /// <summary>Its numbers by group of weights, where it was watched.</summary>
    public IReadOnlyList<GroupNumbers>? Groups { get; init; }

    /// <summary>Its loss was a spike, and the run went back to a checkpoint: the step after that is next. Null: it did not.</summary>
    public Rollback? Rollback { get; init; }

    /// <summary>Tokens of this step and all before it, those before the run was resumed included.</summary>
    public long AllTokens { get; init; }

    /// <summary>What else was seen of it, if it was looked at more closely.</summary>
    public StepSample? Sample { get; init; }

    /// <summary>What the simulator says a second trains on; null where the machine has no profile.</summary>
    public double? PredictedTokensPerSecond => PredictedSeconds is > 0 and var seconds ? Step.Tokens / seconds : null;

    /// <summary>Model FLOPs a second.</summary>
    public double FlopsPerSecond => Flops / Step.Duration.TotalSeconds;
}
