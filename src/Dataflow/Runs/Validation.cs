using System.Diagnostics;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The loss on other data, and how long it took to find.</summary>
public readonly record struct ValidationResult(double Loss, double Seconds);

/// <summary>
/// The loss on all rows of other data between training steps: as many evaluation steps over the plan's own arenas as they need.
/// </summary>
internal sealed class Validation : IDisposable
{
    private readonly MeasuredData data;
    private readonly int every;
    private readonly Workload workload;
    private readonly Schedule schedule;
    private readonly IDevice device;

    private Validation(MeasuredData data, int every, Workload workload, Schedule schedule, IDevice device)
    {
        (this.data, this.every, this.workload, this.schedule, this.device) = (data, every, workload, schedule, device);
        Executor = new Executor(schedule, device);
    }

    /// <summary>Runs the evaluation step.</summary>
    public Executor Executor { get; }

    /// <summary>What there is to validate on; null if nothing.</summary>
    /// <exception cref="FailedException">The verifier refuses the step.</exception>
    public static Validation? Open(TrainingOptions settings, MeasuredData? data, TrainingPlan plan, IDevice device)
    {
        if (data is null)
        {
            return null;
        }

        var schedule = Planner.Evaluation(plan);
        if (ScheduleVerifier.Verify(schedule, plan.ArenaBudgets, plan.Workload.Model) is { Count: > 0 } errors)
        {
            throw new FailedException($"the evaluation step has {errors.Count} errors and will not run: {errors[0].Message}");
        }

        var workload = plan.Workload with { Kind = WorkloadKind.Evaluation };
        return new Validation(data, settings.ValidateEvery, workload, schedule, device.For(schedule, workload));
    }

    /// <summary>What is measured, how often, and where the machine has a profile, how long that takes.</summary>
    public string Describe(Prediction? prediction)
    {
        long steps = (data.Tokens.RowCount + workload.Geometry.Rows - 1L) / workload.Geometry.Rows;
        string seconds = prediction is null
            ? ""
            : $", {steps * Prediction.SecondsOf(schedule, workload, prediction.Machine):0.0} s by the profile {prediction.Machine.Name}";
        return $"every {every} steps and after the last, all of {data.Description}: {steps:N0} evaluation "
            + $"{(steps == 1 ? "step" : "steps")}{seconds}";
    }

    /// <summary>
    /// The loss after a step, if it is time: every so many steps and after the last; none if the run is to stop before all of it is known.
    /// </summary>
    public ValidationResult? After(int step, int steps, Trainer trainer, Func<bool> stop)
    {
        if (step % every != 0 && step != steps)
        {
            return null;
        }

        var clock = Stopwatch.StartNew();
        return Work.Named("validating", () => trainer.EvaluateAll(data.Tokens, stop)) is { } loss
            ? new ValidationResult(loss, clock.Elapsed.TotalSeconds)
            : null;
    }

    /// <inheritdoc/>
    public void Dispose() => device.Dispose();
}
