using System.Diagnostics;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The loss on other data, and how long it took to find.</summary>
public readonly record struct ValidationResult(double Loss, double Seconds)
{
    /// <summary>What its pairs came to, where it is of pairs.</summary>
    public PreferenceReport? Preferences { get; init; }
}

/// <summary>
/// The loss on all rows of other data between training steps: as many evaluation steps over the plan's own arenas as they need.
/// </summary>
/// <param name="data">The rows.</param>
/// <param name="every">Steps between two validations.</param>
/// <param name="step">The evaluation step.</param>
internal sealed class Validation(MeasuredData data, int every, EvaluationStep step)
{
    /// <summary>What is measured, how often, and where the machine has a profile, how long that takes.</summary>
    public string Describe(Prediction? prediction) =>
        $"every {every} steps and after the last, all of {data.Description}: {step.Describe(data.Tokens.RowCount, prediction)}";

    /// <summary>
    /// The loss after a step, if it is time: every so many steps and after the last; none if the run is to stop before all of it is known.
    /// </summary>
    public ValidationResult? After(int step, int steps, Trainer trainer, Func<bool> stop) =>
        step % every == 0 || step == steps ? Measure(trainer, stop) : null;

    /// <summary>The loss as the weights are now; null if the run is to stop before all of it is known.</summary>
    public ValidationResult? Measure(Trainer trainer, Func<bool> stop)
    {
        var clock = Stopwatch.StartNew();
        if (data.Tokens.HasPairs)
        {
            return Work.Named("validating", () => trainer.EvaluatePairs(data.Tokens, stop)) is { } pairs
                ? new ValidationResult(pairs.Loss, clock.Elapsed.TotalSeconds) { Preferences = pairs }
                : null;
        }

        return Work.Named("validating", () => trainer.EvaluateAll(data.Tokens, stop)) is { } loss
            ? new ValidationResult(loss, clock.Elapsed.TotalSeconds)
            : null;
    }
}
