using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Tells of a training run while it happens.</summary>
internal abstract partial class TrainingReport(TextWriter output, Interruption interruption)
{
    /// <summary>Where it goes.</summary>
    protected TextWriter Output { get; } = output;

    /// <summary>For the machine or for people.</summary>
    /// <param name="output">Where it goes.</param>
    /// <param name="json">For the machine, a line of JSON an event.</param>
    /// <param name="interruption">Says which signal ended the run.</param>
    public static TrainingReport To(TextWriter output, bool json, Interruption interruption) =>
        json ? new JsonLines(output, interruption) : new Lines(output, interruption);

    /// <summary>Tells of an event.</summary>
    public void Take(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Opened opened:
                Notices.Tell(opened.Notes);
                break;
            case RunEvent.Noted noted:
                Noted(noted.Notes);
                break;
            case RunEvent.Warned warned:
                Messages.Tell($"warning: {warned.Warning}");
                break;
            case RunEvent.Planned planned:
                Planned(planned.Request, planned.Result, planned.Budgets, planned.By, planned.Notes);
                break;
            case RunEvent.Starting starting:
                Starting(starting.Device, starting.Data, starting.Weights);
                break;
            case RunEvent.Predicted predicted:
                Predicted(predicted.Prediction);
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
                Messages.Tell($"error: step {failed.Step} was not saved: {failed.Why}");
                SaveFailed(failed.Step, failed.Why);
                break;
            case RunEvent.Interrupted ended when interruption.By is { } signal:
                Interrupted(signal, ended.Step, ended.Steps);
                break;
            case RunEvent.Finished finished:
                Finished(finished.Summary);
                break;
            case RunEvent.Failed failed:
                Messages.Tell($"error: {failed.What}");
                break;
        }
    }

    /// <summary>Before anything runs. Not called if the result is infeasible, except for machines.</summary>
    protected abstract void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes);

    /// <summary>Where the run takes place and what it trains on.</summary>
    protected virtual void Starting(string device, string data, string weights)
    {
    }

    /// <summary>What the simulator says a step takes; null where the machine has no profile.</summary>
    protected virtual void Predicted(Prediction? prediction)
    {
    }

    /// <summary>What to know about the run, a sentence each.</summary>
    protected abstract void Noted(IEnumerable<string> notes);

    /// <summary>What the loss is measured on besides.</summary>
    protected virtual void Validating(string what)
    {
    }

    /// <summary>A step is done.</summary>
    protected abstract void Stepped(StepResult line);

    /// <summary>The run is over.</summary>
    protected abstract void Finished(RunSummary summary);

    private sealed partial class Lines(TextWriter output, Interruption interruption) : TrainingReport(output, interruption)
    {
        protected override void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes)
        {
            if (result is PlanResult.Feasible feasible)
            {
                PlanReport.Write(Output, feasible.Plan, budgets, by, notes);
            }
        }

        protected override void Starting(string device, string data, string weights)
        {
            Output.WriteLine($"Device: {device}");
            Output.WriteLine($"Data: {data}");
            Output.WriteLine($"Weights: {weights}");
        }

        protected override void Predicted(Prediction? prediction) => Output.WriteLine(prediction is null
            ? "Predicted: nothing, as this machine has no profile; `dataflow calibrate` measures it"
            : $"Predicted: {prediction.Seconds:0.00} s a step, by {Standing.Of(prediction.Machine).Text}"
                + (prediction.IsQuick ? ", from a few seconds of measurement: `dataflow calibrate` measures this machine well"
                    : prediction.Machine.Kernels is null ? "; `dataflow calibrate` measures this machine" : ""));

        protected override void Noted(IEnumerable<string> notes)
        {
            foreach (string note in notes)
            {
                Output.WriteLine($"Note: {note}");
            }
        }

        protected override void Validating(string what) => Output.WriteLine($"Validation: {what}");

        protected override void Stepped(StepResult line)
        {
            string step = $"{line.Step.Step}".PadLeft($"{line.Steps}".Length);
            Output.WriteLine($"step {step}/{line.Steps}  loss {line.Step.Loss:0.0000}  {line.Step.TokensPerSecond,7:N0} tok/s  "
                + $"{line.FlopsPerSecond / 1e9,6:N1} GFLOP/s  {line.Step.Duration.TotalSeconds:0.00} s"
                + (line.PredictedSeconds is { } seconds ? $" = {line.Step.Duration.TotalSeconds / seconds:0.00} x predicted" : "")
                + (line.Step.GradientNorm is { } norm ? $"  norm {norm:0.000}" : "")
                + (line.Validation is { } held ? $"  validation {held.Loss:0.0000} in {held.Seconds:0.0} s" : ""));
        }

        protected override void Finished(RunSummary summary)
        {
            var plan = summary.Plan;
            Output.WriteLine();
            Output.WriteLine(
                $"Loss {summary.FirstLoss:0.0000} -> {summary.LastLoss:0.0000} nats in {summary.Steps} steps, {summary.Tokens:N0} tokens, "
                    + $"{summary.Seconds:0.0} s"
                    + (
                        summary.StepsBefore > 0
                            ? $" of this run; {summary.AllSteps} steps, {summary.AllTokens:N0} tokens, {summary.AllSeconds:0.0} s of all "
                                + $"runs"
                            : ""
                    )
            );
            Output.WriteLine(
                $"Speed: mean {summary.TokensPerSecond:N0} tok/s, {summary.Flops / summary.Seconds / 1e9:N1} GFLOP/s (model FLOPs; "
                    + $"recomputation not counted)"
            );
            if (summary is { Predicted: { } prediction, MeasuredSeconds: > 0 and var measured })
            {
                Output.WriteLine(
                    $"Step: predicted {prediction.Seconds:0.000} s, measured {measured:0.000} s (median after the first), measured / "
                        + $"predicted {measured / prediction.Seconds:0.00}"
                );
            }

            Output.WriteLine(
                $"Peak memory: device {PlanReport.Against(plan.DevicePeak, plan.Budget.Device)}, host "
                    + $"{PlanReport.Against(plan.HostPeak, plan.Budget.Host)}"
            );
            if (ProcessMemory.Peak() is { } most)
            {
                var arenas = plan.HostPeak + (summary.DeviceTaken is null ? plan.DevicePeak : Bytes.Zero);
                Output.WriteLine($"Process memory: {most} at most, {Bytes.Max(most - arenas, Bytes.Zero)} more than its arenas");
            }

            if (summary.DeviceTaken is { } taken)
            {
                Output.WriteLine(
                    $"GPU memory: {PlanReport.Against(taken, plan.Budget.Device)}, by the driver's count: the arena of "
                        + $"{plan.DevicePeak - plan.Reserved}, and {taken - plan.DevicePeak + plan.Reserved} for context, kernels and "
                        + $"libraries ({plan.Reserved} were reserved)"
                );
            }

            var state = Plans.ModelState(plan);
            Output.WriteLine($"Offload: model state {state} = {PlanReport.Ratio(state, plan.Budget.Device)} x the device budget");
            PlanReport.WriteTraffic(Output, plan);
            Output.WriteLine($"Plan hash {plan.Hash}");
            WriteSaves(summary.Saves);
            if (summary.Exported is { } folder)
            {
                Output.WriteLine($"Exported to {folder}");
            }

            if (summary.Trace is { } trace)
            {
                Output.WriteLine($"Trace in {trace}: open it in https://ui.perfetto.dev");
            }

            if (summary.Page is { } page)
            {
                Output.WriteLine($"Timeline in {page}: open it in a browser");
            }
        }
    }

    private sealed partial class JsonLines(TextWriter output, Interruption interruption) : TrainingReport(output, interruption)
    {
        // Told with the first step.
        private readonly List<string> untold = [];
        private string? validation;

        protected override void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes) =>
            Write("plan", PlanJson.Of(request, result, null, by, notes));

        protected override void Noted(IEnumerable<string> notes) => untold.AddRange(notes);

        protected override void Validating(string what) => validation = what;

        protected override void Stepped(StepResult line) => Write("step", Measured(line, new JsonObject
        {
            ["step"] = line.Step.Step,
            ["loss"] = line.Step.Loss,
            ["tok_per_sec"] = line.Step.TokensPerSecond,
            ["tokens"] = line.Step.Tokens,
            ["seconds"] = line.Step.Duration.TotalSeconds,
            ["tflops"] = line.FlopsPerSecond / 1e12,
            ["lr"] = Shortest(line.LearningRate),
        }));

        /// <summary>Adds what only some runs measure or have to tell.</summary>
        private JsonObject Measured(StepResult line, JsonObject step)
        {
            if (untold.Count > 0)
            {
                step["notes"] = new JsonArray([.. untold]);
                untold.Clear();
            }

            if (validation is not null)
            {
                step["validation"] = validation;
                validation = null;
            }

            if (line.Step.GradientNorm is { } norm)
            {
                step["gradient_norm"] = norm;
            }

            if (line.Validation is { } held)
            {
                step["validation_loss"] = held.Loss;
                step["validation_seconds"] = held.Seconds;
            }

            if (line.PredictedSeconds is { } predicted)
            {
                step["predicted_seconds"] = predicted;
            }

            return step;
        }

        protected override void Finished(RunSummary summary) =>
            Write(
                "summary",
                new JsonObject
                {
                    ["steps"] = summary.Steps,
                    ["first_loss"] = summary.FirstLoss,
                    ["last_loss"] = summary.LastLoss,
                    ["tokens"] = summary.Tokens,
                    ["seconds"] = summary.Seconds,
                    ["all_steps"] = summary.AllSteps,
                    ["all_tokens"] = summary.AllTokens,
                    ["all_seconds"] = summary.AllSeconds,
                    ["mean_tok_per_sec"] = summary.TokensPerSecond,
                    ["mean_tflops"] = summary.Flops / summary.Seconds / 1e12,
                    ["predicted_step_seconds"] = summary.Predicted?.Seconds,
                    ["measured_step_seconds"] = summary.MeasuredSeconds > 0 ? summary.MeasuredSeconds : null,
                    ["measured_per_predicted"] = summary is { Predicted: { } prediction, MeasuredSeconds: > 0 and var measured }
                        ? measured / prediction.Seconds
                        : null,
                    ["hardware"] = summary.Predicted?.Machine.Name,
                    ["standing"] = summary.Predicted is { } by ? Standing.Of(by.Machine, summary.Plan.Workload.Model).Text : null,
                    ["device_peak_bytes"] = summary.Plan.DevicePeak.Value,
                    ["device_taken_bytes"] = summary.DeviceTaken?.Value,
                    ["device_budget_bytes"] = summary.Plan.Budget.Device.Value,
                    ["host_peak_bytes"] = summary.Plan.HostPeak.Value,
                    ["host_budget_bytes"] = summary.Plan.Budget.Host.Value,
                    ["process_peak_bytes"] = ProcessMemory.Peak()?.Value,
                    ["model_state_bytes"] = Plans.ModelState(summary.Plan).Value,
                    ["copies_per_step"] = PlanJson.Copies(summary.Plan.Traffic),
                    ["recomputed_per_step"] = PlanJson.Recomputed(summary.Plan.Traffic),
                    ["plan_hash"] = summary.Plan.Hash,
                    ["checkpoints"] = SavesJson(summary.Saves),
                    ["exported"] = summary.Exported,
                    ["trace"] = summary.Trace,
                    ["page"] = summary.Page,
                }
            );

        private void Write(string kind, JsonObject fields)
        {
            fields.Insert(0, "event", kind);
            Output.WriteLine(fields.ToJsonString());
        }

        // The double that prints as the float does.
        private static double Shortest(float value) => double.Parse(value.ToString("R"));
    }
}
