using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>The loss on other rows between training steps: an evaluation step over the plan's own arenas, on the first rows of a file.</summary>
internal sealed class Validation : IDisposable
{
    private readonly ITokenSource tokens;
    private readonly IDevice device;
    private readonly int every;
    private readonly int[] rows;

    private Validation(ITokenSource tokens, IDevice device, Executor executor, int every, int rowCount)
    {
        (this.tokens, this.device, Executor, this.every) = (tokens, device, executor, every);
        rows = [.. Enumerable.Range(0, rowCount).Select(r => r % tokens.RowCount)];
    }

    /// <summary>Runs the evaluation step.</summary>
    public Executor Executor { get; }

    /// <summary>What the settings ask for; null if nothing.</summary>
    /// <exception cref="UserErrorException">The file cannot be used.</exception>
    /// <exception cref="FailedException">The verifier refuses the step.</exception>
    public static Validation? Open(TrainingSettings settings, TrainingPlan plan, IDevice device)
    {
        if (settings.Validation is not ({ } path, var every))
        {
            return null;
        }

        var tokens = TokenSources.Open(path, settings.Plan.Seqlen, plan.Workload.Model.VocabSize);
        var schedule = Planner.Evaluation(plan);
        if (ScheduleVerifier.Verify(schedule, plan.ArenaBudgets) is { Count: > 0 } errors)
        {
            throw new FailedException($"the evaluation step has {errors.Count} errors and will not run: {errors[0].Message}");
        }

        var beside = device.For(schedule, plan.Workload with { Kind = WorkloadKind.Evaluation });
        return new Validation(tokens, beside, new Executor(schedule, beside), every, plan.Workload.Geometry.Rows);
    }

    /// <summary>The loss after a step, if it is time: every so many steps and after the last.</summary>
    public double? After(int step, int steps, Trainer trainer) => step % every == 0 || step == steps ? trainer.Evaluate(tokens, rows) : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        device.Dispose();
        (tokens as IDisposable)?.Dispose();
    }
}
