using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>A step as it is reported.</summary>
internal readonly record struct StepLine(
    StepReport Step,
    int Steps,
    double Flops,
    float LearningRate,
    ValidationResult? Validation = null,
    double? PredictedSeconds = null
)
{
    /// <summary>Model FLOPs a second.</summary>
    public double FlopsPerSecond => Flops / Step.Duration.TotalSeconds;
}

/// <summary>A run that is over.</summary>
internal sealed record RunSummary(TrainingPlan Plan)
{
    /// <summary>Steps of this run; those before it was resumed are not in it, nor in the sums.</summary>
    public int Steps { get; init; }

    /// <summary>Of the first of them.</summary>
    public double FirstLoss { get; init; }

    /// <summary>Of the last of them.</summary>
    public double LastLoss { get; init; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; init; }

    /// <summary>Time in steps; loading, planning and saving are not in it.</summary>
    public double Seconds { get; init; }

    /// <summary>Model FLOPs.</summary>
    public double Flops { get; init; }

    /// <summary>Where the weights were exported to; null if they were not.</summary>
    public string? Exported { get; init; }

    /// <summary>What became of the checkpoints; null if there were to be none.</summary>
    public SavesDone? Saves { get; init; }

    /// <summary>Steps of the runs before, which this one goes on with; 0 if it began.</summary>
    public int StepsBefore { get; init; }

    /// <summary>Their tokens.</summary>
    public long TokensBefore { get; init; }

    /// <summary>Their time in steps.</summary>
    public double SecondsBefore { get; init; }

    /// <summary>Steps of all runs.</summary>
    public int AllSteps => StepsBefore + Steps;

    /// <summary>Tokens of all runs.</summary>
    public long AllTokens => TokensBefore + Tokens;

    /// <summary>Time in steps of all runs.</summary>
    public double AllSeconds => SecondsBefore + Seconds;

    /// <summary>With one step more.</summary>
    public RunSummary And(StepReport step, double flops) => this with
    {
        Steps = Steps + 1,
        FirstLoss = Steps == 0 ? step.Loss : FirstLoss,
        LastLoss = step.Loss,
        Tokens = Tokens + step.Tokens,
        Seconds = Seconds + step.Duration.TotalSeconds,
        Flops = Flops + flops,
    };

    /// <summary>What the simulator said; null where the machine has no profile.</summary>
    public Prediction? Predicted { get; init; }

    /// <summary>Median of the steps after the first, which finds cold caches; 0 if there is none.</summary>
    public double MeasuredSeconds { get; init; }

    /// <summary>The median of all but the first.</summary>
    public static double TypicalStep(IEnumerable<double> seconds)
    {
        double[] warm = [.. seconds.Skip(1).Order()];
        return warm.Length == 0 ? 0 : (warm[warm.Length / 2] + warm[(warm.Length - 1) / 2]) / 2;
    }

    /// <summary>What the run took of the GPU's memory as the driver counts it; null on the CPU.</summary>
    public Bytes? DeviceTaken { get; init; }

    /// <summary>The trace that was written; null if none was.</summary>
    public string? Trace { get; init; }

    /// <summary>The page that was written; null if none was.</summary>
    public string? Page { get; init; }

    /// <summary>Mean over all steps.</summary>
    public double TokensPerSecond => Tokens / Seconds;
}

/// <summary>Tells of a training run while it happens.</summary>
internal abstract partial class TrainingReport(TextWriter output)
{
    /// <summary>Where it goes.</summary>
    protected TextWriter Output { get; } = output;

    /// <summary>For the machine or for people.</summary>
    public static TrainingReport To(TextWriter output, bool json) => json ? new JsonLines(output) : new Lines(output);

    /// <summary>Before anything runs. Not called if the result is infeasible, except for machines.</summary>
    public abstract void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes);

    /// <summary>Where the run takes place and what it trains on.</summary>
    public virtual void Starting(string device, string data, string weights)
    {
    }

    /// <summary>What the simulator says a step takes; null where the machine has no profile.</summary>
    public virtual void Predicted(Prediction? prediction)
    {
    }

    /// <summary>What to know about the run, a sentence each.</summary>
    public abstract void Noted(IEnumerable<string> notes);

    /// <summary>What the loss is measured on besides; null if on nothing.</summary>
    public virtual void Validating(string? what)
    {
    }

    /// <summary>A step is done.</summary>
    public abstract void Stepped(StepLine line);

    /// <summary>The run is over.</summary>
    public abstract void Finished(RunSummary summary);

    private sealed partial class Lines(TextWriter output) : TrainingReport(output)
    {
        public override void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes)
        {
            if (result is PlanResult.Feasible feasible)
            {
                PlanReport.Write(Output, feasible.Plan, budgets, by, notes);
            }
        }

        public override void Starting(string device, string data, string weights)
        {
            Output.WriteLine($"Device: {device}");
            Output.WriteLine($"Data: {data}");
            Output.WriteLine($"Weights: {weights}");
        }

        public override void Predicted(Prediction? prediction) => Output.WriteLine(prediction is null
            ? "Predicted: nothing, as this machine has no profile; `dataflow calibrate` measures it"
            : $"Predicted: {prediction.Seconds:0.00} s a step, by {Standing.Of(prediction.Machine).Text}"
                + (prediction.IsQuick ? ", from a few seconds of measurement: `dataflow calibrate` measures this machine well"
                    : prediction.Machine.Kernels is null ? "; `dataflow calibrate` measures this machine" : ""));

        public override void Noted(IEnumerable<string> notes)
        {
            foreach (string note in notes)
            {
                Output.WriteLine($"Note: {note}");
            }
        }

        public override void Validating(string? what) => Output.Write(what is null ? "" : $"Validation: {what}\n");

        public override void Stepped(StepLine line)
        {
            string step = $"{line.Step.Step}".PadLeft($"{line.Steps}".Length);
            Output.WriteLine($"step {step}/{line.Steps}  loss {line.Step.Loss:0.0000}  {line.Step.TokensPerSecond,7:N0} tok/s  "
                + $"{line.FlopsPerSecond / 1e9,6:N1} GFLOP/s  {line.Step.Duration.TotalSeconds:0.00} s"
                + (line.PredictedSeconds is { } seconds ? $" = {line.Step.Duration.TotalSeconds / seconds:0.00} x predicted" : "")
                + (line.Step.GradientNorm is { } norm ? $"  norm {norm:0.000}" : "")
                + (line.Validation is { } held ? $"  validation {held.Loss:0.0000} in {held.Seconds:0.0} s" : ""));
        }

        public override void Finished(RunSummary summary)
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

            var state = PlanReport.ModelState(plan);
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

    private sealed partial class JsonLines(TextWriter output) : TrainingReport(output)
    {
        // Told with the first step.
        private readonly List<string> untold = [];
        private string? validation;

        public override void Planned(PlanRequest request, PlanResult result, Budgets budgets, PolicySettings by, PlanNotes notes) =>
            Write("plan", PlanJson.Of(request, result, null, by, notes));

        public override void Noted(IEnumerable<string> notes) => untold.AddRange(notes);

        public override void Validating(string? what) => validation = what;

        public override void Stepped(StepLine line) => Write("step", Measured(line, new JsonObject
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
        private JsonObject Measured(StepLine line, JsonObject step)
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

        public override void Finished(RunSummary summary) =>
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
                    ["model_state_bytes"] = PlanReport.ModelState(summary.Plan).Value,
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
