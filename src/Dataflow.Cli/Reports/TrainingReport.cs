using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Tells people of a training run while it happens.</summary>
/// <param name="output">Where it goes.</param>
/// <param name="interruption">Says which signal ended the run.</param>
internal sealed partial class TrainingReport(TextWriter output, Interruption interruption)
{
    private bool isScheduled;

    /// <summary>Tells of an event.</summary>
    public void Take(RunEvent happened)
    {
        Messages.Tell(happened);
        switch (happened)
        {
            case RunEvent.Noted noted:
                Noted(noted.Notes);
                break;
            case RunEvent.Planned planned:
                Planned(planned.Request, planned.Result, planned.Budgets, planned.By, planned.Notes);
                break;
            case RunEvent.Described { Run: var run }:
                Described(run);
                break;
            case RunEvent.Starting starting:
                Starting(starting.Device, starting.Data, starting.Weights);
                break;
            case RunEvent.Predicted predicted:
                Predicted(predicted.Prediction);
                break;
            case RunEvent.Scheduled scheduled:
                isScheduled = true;
                output.WriteLine($"Learning rate: {scheduled.Rates}");
                break;
            case RunEvent.Validating validating:
                Validating(validating.What);
                break;
            case RunEvent.Changed changed:
                Changed(changed.Change);
                break;
            case RunEvent.SavesPlanned saves:
                Saving(saves.Plan, saves.StepSeconds, saves.Data);
                break;
            case RunEvent.Stepped stepped:
                Stepped(stepped.Step);
                break;
            case RunEvent.Saved saved:
                Saved(saved.Step);
                break;
            case RunEvent.SaveFailed failed:
                SaveFailed(failed.Step, failed.Why);
                break;
            case RunEvent.Interrupted ended when interruption.By is { } signal:
                output.WriteLine($"interrupted by {Interruption.NameOf(signal)} after step {ended.Step} of {ended.Steps}");
                break;
            case RunEvent.Finished finished:
                Finished(finished.Summary);
                break;
        }
    }

    private void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes)
    {
        if (result is PlanResult.Feasible feasible)
        {
            PlanReport.Write(output, feasible.Plan, budgets, by, notes);
        }
    }

    private void Described(RunDescription run)
    {
        output.WriteLine("The run, as a run file would say it:");
        foreach (string line in run.Lines)
        {
            output.WriteLine($"  {line}");
        }
    }

    private void Starting(string device, string data, string weights)
    {
        output.WriteLine($"Device: {device}");
        output.WriteLine($"Data: {data}");
        output.WriteLine($"Weights: {weights}");
    }

    private void Predicted(Prediction? prediction) => output.WriteLine(prediction is null
        ? "Predicted: nothing, as this machine has no profile; `dataflow calibrate` measures it"
        : $"Predicted: {prediction.Seconds:0.00} s a step, by {Standing.Of(prediction.Machine).Text}"
            + (prediction.TakenByOthers > 0
                ? $", from a few seconds of measurement, in which other programs had {100 * prediction.TakenByOthers:0}% of the "
                    + "processors: steps are faster once those have ended, and the first run then measures again"
                : prediction.IsQuick ? ", from a few seconds of measurement: `dataflow calibrate` measures this machine well"
                : prediction.Machine.Kernels is null ? "; `dataflow calibrate` measures this machine" : ""));

    private void Noted(IEnumerable<string> notes)
    {
        foreach (string note in notes)
        {
            output.WriteLine($"Note: {note}");
        }
    }

    private void Validating(string what) => output.WriteLine($"Validation: {what}");

    private void Stepped(StepResult line)
    {
        string step = $"{line.Step.Step}".PadLeft($"{line.Steps}".Length);
        if (line.Step.Skipped is { } why)
        {
            output.WriteLine($"step {step}/{line.Steps}  skipped: {why}");
            return;
        }

        output.WriteLine($"step {step}/{line.Steps}  loss {line.Step.Loss:0.0000}  {line.Step.TokensPerSecond,7:N0} tok/s  "
            + $"{line.FlopsPerSecond / 1e9,6:N1} GFLOP/s  {line.Step.Duration.TotalSeconds:0.00} s"
            + (line.PredictedSeconds is { } seconds ? $" = {line.Step.Duration.TotalSeconds / seconds:0.00} x predicted" : "")
            + (isScheduled ? $"  lr {line.LearningRate:0.00e-0}" : "")
            + (line.Step.GradientNorm is { } norm ? $"  norm {norm:0.000}" : "")
            + (line.Step.Preferences is { } pairs ? $"  {Compared(pairs)}" : "")
            + (line.Validation is { } held ? $"  validation {held.Loss:0.0000} in {held.Seconds:0.0} s" : "")
            + (line.Validation?.Preferences is { } measured ? $", {Compared(measured)}" : ""));
        Watched(line);
    }

    private static string Compared(PreferenceReport pairs)
    {
        // No zero has a sign.
        static double Rounded(double value) => Math.Round(value, 3) + 0.0;
        return $"{pairs.Pairs:N0} pairs: rewards {Rounded(pairs.RewardChosen):0.000} and {Rounded(pairs.RewardRejected):0.000}, "
            + $"margin {Rounded(pairs.Margin):0.000}, accuracy {pairs.Accuracy:0.0%}";
    }

    private void Finished(RunSummary summary)
    {
        var plan = summary.Plan;
        output.WriteLine();
        output.WriteLine(
            $"Loss {summary.FirstLoss:0.0000} -> {summary.LastLoss:0.0000} nats in {summary.Steps} steps, {summary.Tokens:N0} tokens, "
                + $"{summary.Seconds:0.0} s"
                + (
                    summary.StepsBefore > 0
                        ? $" of this run; {summary.AllSteps} steps, {summary.AllTokens:N0} tokens, {summary.AllSeconds:0.0} s of all "
                            + $"runs"
                        : ""
                )
        );
        output.WriteLine(
            $"Speed: mean {summary.TokensPerSecond:N0} tok/s, {summary.Flops / summary.Seconds / 1e9:N1} GFLOP/s (model FLOPs; "
                + $"recomputation not counted)"
        );
        if (summary is { Predicted: { } prediction, MeasuredSeconds: > 0 and var measured })
        {
            output.WriteLine(
                $"Step: predicted {prediction.Seconds:0.000} s, measured {measured:0.000} s (median after the first), measured / "
                    + $"predicted {measured / prediction.Seconds:0.00}"
            );
        }

        output.WriteLine($"Peak memory: {PlanReport.Peaks(plan)}");
        if (ProcessMemory.Peak() is { } most)
        {
            var arenas = plan.HostPeak + (summary.DeviceTaken is null ? plan.DevicePeak : Bytes.Zero);
            output.WriteLine($"Process memory: {most} at most, {Bytes.Max(most - arenas, Bytes.Zero)} more than its arenas");
        }

        if (summary.DeviceTaken is { } taken)
        {
            output.WriteLine(
                $"GPU memory: {PlanReport.Against(taken, plan.Budget.Device)}, by the driver's count: the arena of "
                    + $"{plan.DevicePeak - plan.Reserved}, and {taken - plan.DevicePeak + plan.Reserved} for context, kernels and "
                    + $"libraries ({plan.Reserved} were reserved)"
            );
        }

        var state = Plans.ModelState(plan);
        output.WriteLine($"Offload: model state {state} = {PlanReport.Ratio(state, plan.Budget.Device)} x the device budget");
        PlanReport.WriteTraffic(output, plan);
        output.WriteLine($"Plan hash {plan.Hash}");
        WriteSaves(summary.Saves);
        if (summary.Exported is { } folder)
        {
            output.WriteLine($"Exported to {folder}");
        }

        if (summary.Traced is { } step && PartTimesText.Line(plan.Workload.Model, plan.Schedule, step) is { } parts)
        {
            output.WriteLine($"{parts} (measured)");
        }

        if (summary.Trace is { } trace)
        {
            output.WriteLine($"Trace in {trace}: open it in https://ui.perfetto.dev");
        }

        if (summary.Page is { } page)
        {
            output.WriteLine($"Timeline in {page}: open it in a browser");
        }
    }
}
