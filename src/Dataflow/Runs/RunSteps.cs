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
            var done = Measured(step, batch);
            whole = true;
            TakePosition(before);
            held = run.Validation?.After(step, settings.Steps, trainer, () => stop.IsCancellationRequested);
            var result = new StepResult(done, settings.Steps, flops, RateOf(step), held, run.Prediction?.Seconds);
            run.Tell(new RunEvent.Stepped(result));
            seconds.Add(done.Duration.TotalSeconds);
            summary = summary.And(done, flops);
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
