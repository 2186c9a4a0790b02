using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Dataflow.Cuda;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>What the steps of a run came to.</summary>
/// <param name="By">The signal that ended them early; null if none did.</param>
/// <param name="Fault">What ended them early otherwise; null if nothing did.</param>
/// <param name="IsWhole">Whether the trainer's state is that after its last step: not where one broke off in its middle.</param>
/// <param name="Validation">The loss after the last step, where it was measured.</param>
internal sealed record StepsTaken(RunSummary Summary, PosixSignal? By, ExceptionDispatchInfo? Fault, bool IsWhole, double? Validation);

/// <summary>The steps of a run.</summary>
internal static class RunSteps
{
    /// <summary>Takes them, up to the last or to a signal. Never throws: what was trained until a failure is still to be saved.</summary>
    public static StepsTaken Take(PreparedRun run, Interruption interruption)
    {
        var (settings, trainer) = (run.Settings, run.Trainer);
        var geometry = run.Plan.Workload.Geometry;
        double flops = run.Plan.Workload.Model.ModelFlops(geometry.Seqlen) * geometry.Rows;
        var order = new BatchOrder(run.Tokens.RowCount, geometry.Rows, settings.Seed);
        int[] rows = new int[geometry.Rows];
        var summary = run.Before;
        ValidationResult? held = null;
        var seconds = new List<double>();
        var (whole, before) = (true, trainer.StepsDone);
        ExceptionDispatchInfo? fault = null;
        try
        {
            while (trainer.StepsDone < settings.Steps && !interruption.Asked)
            {
                before = trainer.StepsDone;
                int step = before + 1;
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i] = order.RowAt(((step - 1L) * rows.Length) + i);
                }

                whole = false;
                var done = Measured(run, step, rows);
                whole = true;
                held = run.Validation?.After(step, settings.Steps, trainer, () => interruption.Asked);
                run.Report.Stepped(
                    new StepLine(done, settings.Steps, flops, settings.Optimizer.LearningRate, held, run.Prediction?.Seconds)
                );
                seconds.Add(done.Duration.TotalSeconds);
                summary = summary.And(done, flops);
                run.Saving?.AfterStep(summary, held?.Loss, interruption.TakeSaveRequest());
            }
        }
        catch (Exception e)
        {
            // A step that never began, and one that ended with a loss that is no number, leave the state of a step's end.
            whole |= trainer.StepsDone == before || e is DivergedException;
            fault = ExceptionDispatchInfo.Capture(e);
        }

        var by = trainer.StepsDone < settings.Steps ? interruption.By : null;
        return new StepsTaken(
            summary with
            {
                MeasuredSeconds = RunSummary.TypicalStep(seconds),
            },
            by,
            fault,
            whole,
            whole ? held?.Loss : null
        );
    }

    private static StepReport Measured(PreparedRun run, int step, int[] rows)
    {
        var settings = run.Settings;
        run.Trace?.Before(step);
        if (settings.Profiled?.First == step)
        {
            CudaContext.StartProfiler();
        }

        var done = run.Trainer.Step(run.Tokens, rows, settings.Optimizer, settings.ClipNorm ?? float.PositiveInfinity);
        if (settings.Profiled?.Last == step)
        {
            CudaContext.StopProfiler();
        }

        run.Trace?.After(step);
        return done;
    }
}
