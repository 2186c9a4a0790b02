using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>A step of a run's plan that only goes forward, over the same arenas.</summary>
internal sealed class EvaluationStep : IDisposable
{
    private readonly IDevice device;

    private EvaluationStep(Schedule schedule, Workload workload, IDevice device)
    {
        (Schedule, Workload, this.device) = (schedule, workload, device);
        Executor = new Executor(schedule, device);
    }

    /// <summary>Its ops.</summary>
    public Schedule Schedule { get; }

    /// <summary>What it is of.</summary>
    public Workload Workload { get; }

    /// <summary>Runs it.</summary>
    public Executor Executor { get; }

    /// <summary>Plans it and opens it on the run's device.</summary>
    /// <exception cref="FailedException">The verifier refuses the step.</exception>
    public static EvaluationStep Open(TrainingPlan plan, IDevice device)
    {
        var schedule = Planner.Evaluation(plan);
        if (ScheduleVerifier.Verify(schedule, plan.ArenaBudgets, plan.Workload.Model) is { Count: > 0 } errors)
        {
            throw new FailedException($"the evaluation step has {errors.Count} errors and will not run: {errors[0].Message}");
        }

        var workload = plan.Workload with { Kind = WorkloadKind.Evaluation };
        return new EvaluationStep(schedule, workload, device.For(schedule, workload));
    }

    /// <summary>How many steps so many rows take, and by the machine's profile how long, where it has one: "3 evaluation steps, 0.4 s by
    /// the profile ...".</summary>
    public string Describe(long rows, Prediction? prediction)
    {
        long steps = (rows + Workload.Geometry.Rows - 1L) / Workload.Geometry.Rows;
        string seconds = prediction is null
            ? ""
            : $", {steps * Prediction.SecondsOf(Schedule, Workload, prediction.Machine):0.0} s by the profile {prediction.Machine.Name}";
        return $"{steps:N0} evaluation {(steps == 1 ? "step" : "steps")}{seconds}";
    }

    /// <inheritdoc/>
    public void Dispose() => device.Dispose();
}
