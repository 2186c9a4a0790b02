using System.Globalization;
using System.Runtime.ExceptionServices;
using Dataflow.Cuda;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What the steps of a run came to.</summary>
/// <param name="Summary">Their loss and speed.</param>
/// <param name="Interrupted">Whether they were asked to end early.</param>
/// <param name="Fault">What ended them early otherwise; null if nothing did.</param>
/// <param name="IsWhole">Whether the trainer's state is that after its last step: not where one broke off in its middle.</param>
/// <param name="Validation">The loss after the last step, where it was measured.</param>
internal sealed record StepsTaken(RunSummary Summary, bool Interrupted, ExceptionDispatchInfo? Fault, bool IsWhole, double? Validation);

/// <summary>The steps of a run.</summary>
internal sealed class RunSteps
{
    private readonly PreparedRun run;
    private readonly double flops;
    private readonly int[] rows;
    private readonly List<double> seconds = [];
    private RunSummary summary;
    private ValidationResult? held;
    private bool whole = true;
    private bool interrupted;
    private ExceptionDispatchInfo? fault;

    /// <param name="run">None of its steps was taken.</param>
    public RunSteps(PreparedRun run)
    {
        var geometry = run.Plan.Workload.Geometry;
        this.run = run;
        flops = run.Plan.Workload.Model.ModelFlops(geometry.Seqlen) * geometry.Rows;
        rows = [.. Enumerable.Range(0, geometry.Rows)];
        summary = run.Before;
        if (run.Settings.Watch.RollbackSpike is not null)
        {
            run.Saving!.KeepTarget();
        }
    }

    /// <summary>What they came to so far.</summary>
    public StepsTaken Taken => new(
        summary with { MeasuredSeconds = RunSummary.TypicalStep(seconds) }, interrupted, fault, whole, whole ? held?.Loss : null);

    /// <summary>
    /// Takes the next one; null after the last, and once the run was asked to end. Never throws: what was trained until a failure is still
    /// to be saved.
    /// </summary>
    public StepResult? Next(CancellationToken stop)
    {
        var (settings, trainer) = (run.Settings, run.Trainer);
        int before = trainer.StepsDone;
        if (fault is not null || before >= settings.Steps)
        {
            return null;
        }

        if (stop.IsCancellationRequested)
        {
            interrupted = true;
            return null;
        }

        try
        {
            int step = before + 1;
            var batch = run.Feed.Next(rows.Length);
            whole = false;
            run.Watch.Before(step);
            run.Sampler.Before(step);
            var done = Measured(step, batch);
            whole = true;
            TakePosition(before);
            var (groups, sample) = (run.Watch.After(done), run.Sampler.After());
            if (run.Watch.LimitBefore(done) is { } limit && RolledBack(done, limit) is { } rollback)
            {
                return Tell(
                    new StepResult(done, settings.Steps, flops, RateOf(step), PredictedSeconds: run.Prediction?.Seconds)
                    {
                        Groups = groups,
                        Rollback = rollback,
                        AllTokens = summary.AllTokens + done.Tokens,
                        Sample = sample,
                    }
                );
            }

            held = run.Validation?.After(step, settings.Steps, trainer, () => stop.IsCancellationRequested);
            var result = Tell(
                new StepResult(done, settings.Steps, flops, RateOf(step), held, run.Prediction?.Seconds)
                {
                    Groups = groups,
                    AllTokens = summary.AllTokens + done.Tokens,
                    Sample = sample,
                }
            );
            run.Saving?.AfterStep(summary, held?.Loss, run.TakeSaveRequest());
            return result;
        }
        catch (Exception e)
        {
            // A step that never began, and one that ended with a loss that is no number, leave the state of a step's end.
            whole |= trainer.StepsDone == before || e is DivergedException;
            TakePosition(before);
            fault = ExceptionDispatchInfo.Capture(e);
            return null;
        }
    }

    private StepResult Tell(StepResult result)
    {
        run.Tell(new RunEvent.Stepped(result));
        seconds.Add(result.Step.Duration.TotalSeconds);
        summary = summary.And(result.Step, flops);
        summary = result.Rollback is null ? summary : summary with { Rollbacks = summary.Rollbacks + 1 };
        return result;
    }

    /// <summary>Goes back from a spike to the last checkpoint; the data stays where it is. Null: there is none to go back to.</summary>
    private Rollback? RolledBack(StepReport spike, double limit)
    {
        if (run.Saving!.RollbackTarget(spike.Step) is not { } target)
        {
            run.Watch.Accept(spike);
            string above = string.Create(
                CultureInfo.InvariantCulture,
                $"the loss of step {spike.Step} is {spike.Loss:0.0000}, above {limit:0.0000}");
            run.Tell(new RunEvent.Noted([$"{above}, and there is no checkpoint yet to go back to: training goes on"]));
            return null;
        }

        int times = run.Watch.CountRollback(spike, limit);
        whole = false;
        var loaded = run.Saving.RollBack(target);
        whole = true;
        run.Watch.Return(loaded.Progress.Settings);
        held = null;
        return new Rollback(spike.Step, loaded.Progress.Step, spike.Loss, limit, times);
    }

    // Steps count from 1 here.
    private float RateOf(int step) => (float)run.Rates.At(step - 1);

    // Where the data stands after the last step that was done: rows that were read for one that was not come again.
    private void TakePosition(int before)
    {
        if (run.Saving is { } saving && run.Trainer.StepsDone > before)
        {
            saving.Position = run.Feed.Position;
        }
    }

    private StepReport Measured(int step, ITokenSource batch)
    {
        var settings = run.Settings;
        run.Trace?.Before(step);
        if (settings.ProfileSteps?.First == step)
        {
            CudaContext.StartProfiler();
        }

        var numbers = settings.Optimizer with { LearningRate = RateOf(step) };
        var done = run.Trainer.Step(batch, rows, numbers, settings.Plan.Clip ?? float.PositiveInfinity);
        if (settings.ProfileSteps?.Last == step)
        {
            CudaContext.StopProfiler();
        }

        run.Trace?.After(step);
        return done;
    }
}
