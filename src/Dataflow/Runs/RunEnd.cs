using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// What a run leaves behind, the dearest first: the checkpoint, then the trace and the page, then the exported weights, then the summary.
/// Each is tried whatever became of the others.
/// </summary>
internal static class RunEnd
{
    /// <summary>Writes all of it.</summary>
    /// <exception cref="RunFailedException">Something could not be written.</exception>
    public static RunSummary Of(PreparedRun run, StepsTaken steps)
    {
        var (settings, failures) = (run.Settings, new List<string>());
        bool Try(Action write)
        {
            try
            {
                write();
                return true;
            }
            catch (Exception e)
            {
                failures.AddRange(Failures.Sentences(e));
                return false;
            }
        }

        if (steps.Summary.Steps > 0)
        {
            Try(() => run.Saving?.Finish(steps));
        }

        var summary = steps.Summary;
        if (run.Trace is { Count: > 0 } trace)
        {
            summary = summary with
            {
                Traced = trace.Last,
                Trace = settings.Trace is not null && Try(() => trace.WriteTrace(run.Prediction)) ? settings.Trace : null,
                Page = settings.Page is not null && Try(() => trace.WritePage(run.Title, run.Prediction)) ? settings.Page : null,
            };
        }

        if (settings.Export is { } folder && (summary.Steps > 0 || steps.Fault is null) && Try(() => Export(folder, run, steps)))
        {
            summary = summary with { Exported = folder };
        }

        if (steps.Fault is { SourceException: var ended })
        {
            Try(() => run.Metrics?.Fail(run.Trainer.StepsDone, ended));
        }

        if (steps.Interrupted)
        {
            Try(() => run.Tell(new RunEvent.Interrupted(run.Trainer.StepsDone, settings.Steps)));
        }

        if (summary.Steps > 0)
        {
            summary = summary with { DeviceTaken = run.Memory?.Used, Saves = run.Saving?.Done };
            Try(() => run.Tell(new RunEvent.Finished(summary)));
        }

        Try(() => run.Memory?.Check(run.Plan));
        Tell(run, failures, steps);
        return summary;
    }

    private static void Export(string folder, PreparedRun run, StepsTaken steps)
    {
        if (!steps.IsWhole)
        {
            throw new FailedException(
                $"nothing was exported to {folder}: step {run.Trainer.StepsDone} broke off in its middle, and its weights are of no step"
            );
        }

        if (run.Plan.Workload.Model.Adapter is not null)
        {
            AdapterExport.Write(folder, run.Trainer.State.Finest, ExportFolder.AdapterType(run.Settings), run.Settings.Plan.Model);
            return;
        }

        ModelExport.Write(
            folder,
            run.Trainer.State.Finest,
            run.Plan.Workload.Recipe.Parameters,
            ExportFolder.Options(run.Settings)
        );
    }

    /// <summary>What ended the steps says more than what followed from it, and is said last.</summary>
    private static void Tell(PreparedRun run, List<string> failures, StepsTaken steps)
    {
        if (steps.Fault is { } fault)
        {
            failures.ForEach(f => run.Tell(new RunEvent.Failed(f)));
            fault.Throw();
        }

        if (failures.Count > 0)
        {
            throw new RunFailedException(failures);
        }
    }
}
