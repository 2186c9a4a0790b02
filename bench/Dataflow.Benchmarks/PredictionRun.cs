using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Benchmarks;

/// <summary>A case on its device, measured a step at a time.</summary>
internal sealed class PredictionRun : IDisposable
{
    /// <summary>By how much a prediction may be off.</summary>
    public const double Bound = 0.10;

    private readonly PredictionCase what;
    private readonly TrainingPlan plan;
    private readonly ITimedDevice device;
    private readonly long[] least;
    private readonly long[] sums;
    private readonly Trainer trainer;
    private readonly RandomTokens tokens;
    private readonly int[] rows;
    private readonly List<double> seconds = [];

    /// <summary>Plans it, loads weights and takes a step to warm up.</summary>
    public PredictionRun(PredictionCase what, ModelConfig model, DeviceOptions where)
    {
        this.what = what;
        plan = Plans.Require(Planner.Plan(what.Request(model)));
        device = (ITimedDevice)where.Create(plan);
        least = [.. plan.Schedule.Ops.Select(_ => long.MaxValue)];
        sums = new long[least.Length];
        trainer = new Trainer(plan.Workload, plan.Schedule, device)
        {
            Updates = what.Groups.IsEmpty ? null : UpdateTable.Of(plan.Workload, what.Groups, what.Optimizer.Defaults.LearningRate),
        };
        trainer.Load(WeightInitialiser.Weights(plan.Workload.Model, 1));
        tokens = new RandomTokens(what.Rows, PredictionCase.Seqlen, model.VocabSize);
        rows = [.. Enumerable.Range(0, what.Rows)];
        trainer.Step(tokens, rows, what.Optimizer.Defaults);
    }

    /// <summary>Columns of the table.</summary>
    public static string[] Columns { get; } =
        [
            "step",
            "tokens",
            "device",
            "host",
            "ops",
            "predicted",
            "measured, mean",
            "median",
            "measured / predicted",
            "within",
            "shortest: predicted",
            "measured",
            "ratio",
            "updates, shortest: predicted",
            "measured",
        ];

    /// <summary>
    /// Takes a turn: steps of as many tokens together as the largest case has in one. Training takes one step after another, so most steps
    /// find their own weights in the caches; a step alone between steps of other cases never does.
    /// </summary>
    public void Turn()
    {
        for (int step = 0; step < PredictionCase.MostRows / what.Rows; step++)
        {
            Step();
        }
    }

    private void Step()
    {
        device.MeasureNextStep();
        var clock = Stopwatch.StartNew();
        trainer.Step(tokens, rows, what.Optimizer.Defaults);
        seconds.Add(clock.Elapsed.TotalSeconds);
        var times = device.MeasuredStep().Ops;
        for (int i = 0; i < least.Length; i++)
        {
            least[i] = Math.Min(least[i], times[i].Duration);
            sums[i] += times[i].Duration;
        }
    }

    /// <summary>Of all steps.</summary>
    /// <param name="machine">As all samples of kernels say it.</param>
    /// <param name="quiet">As the shortest of them do.</param>
    public (string[] Cells, JsonObject Fields) Row(HardwareProfile machine, HardwareProfile quiet)
    {
        // As if nothing but the step had run: every op at its shortest, in the schedule's order.
        double quietPredicted = Prediction.For(plan, quiet).Seconds;
        double quietMeasured =
            Simulator.Alone(plan.Schedule, [.. least.Select(OpCost.Compute)], new LinkRates([])).StepNanoseconds / 1e9;
        double quietRatio = quietMeasured / quietPredicted;
        double predicted = Prediction.For(plan, machine).Seconds, mean = seconds.Average();
        double median = seconds.Order().ElementAt(seconds.Count / 2);
        double ratio = mean / predicted;
        bool within = Math.Abs(ratio - 1) <= Bound;
        double updatesPredicted = Updates(machine), updatesMeasured = Updates(i => sums[i]) / seconds.Count;
        double quietUpdatesPredicted = Updates(quiet), quietUpdatesMeasured = Updates(i => least[i]);
        return (
            [
                what.Name,
                $"{what.Rows * PredictionCase.Seqlen:N0}",
                plan.Budget.Device.ToString(),
                plan.Budget.Host.ToString(),
                $"{plan.Schedule.Ops.Length}",
                $"{Text(predicted)} s",
                $"{Text(mean)} s",
                $"{Text(median)} s",
                Text(ratio),
                within ? "yes" : "no",
                $"{Text(quietPredicted)} s",
                $"{Text(quietMeasured)} s",
                Text(quietRatio),
                Result.Duration(quietUpdatesPredicted * 1e9),
                Result.Duration(quietUpdatesMeasured * 1e9),
            ],
            new JsonObject
            {
                ["step"] = what.Name,
                ["optimizer"] = what.Optimizer.Name,
                ["tokens"] = what.Rows * PredictionCase.Seqlen,
                ["device_bytes"] = plan.Budget.Device.Value,
                ["host_bytes"] = plan.Budget.Host.Value,
                ["plan_hash"] = plan.Hash,
                ["ops"] = plan.Schedule.Ops.Length,
                ["predicted_seconds"] = predicted,
                ["measured_mean_seconds"] = mean,
                ["measured_median_seconds"] = median,
                ["measured_per_predicted"] = ratio,
                ["within"] = within,
                ["updates_predicted_seconds"] = updatesPredicted,
                ["updates_measured_mean_seconds"] = updatesMeasured,
                ["shortest_predicted_seconds"] = quietPredicted,
                ["shortest_measured_seconds"] = quietMeasured,
                ["shortest_measured_per_predicted"] = quietRatio,
                ["shortest_updates_predicted_seconds"] = quietUpdatesPredicted,
                ["shortest_updates_measured_seconds"] = quietUpdatesMeasured,
                ["seconds"] = new JsonArray([.. seconds.Select(s => JsonValue.Create(Math.Round(s, 4)))]),
            });
    }

    /// <inheritdoc/>
    public void Dispose() => device.Dispose();

    /// <summary>Seconds of all ops that update weights, as a machine has them.</summary>
    private double Updates(HardwareProfile machine)
    {
        var timer = new OpTimer(plan.Workload, new CostModel(machine, plan.Workload.Recipe.Activations));
        return Updates(i => timer.Of(plan.Schedule.Ops[i]).Nanoseconds);
    }

    private double Updates(Func<int, long> nanoseconds) =>
        Enumerable.Range(0, sums.Length).Where(i => plan.Schedule.Ops[i].Kind == OpKind.Update).Sum(nanoseconds) / 1e9;

    private static string Text(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
