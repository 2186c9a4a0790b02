using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Benchmarks;

/// <summary>
/// Steps of models/micro.json on this CPU under three budgets: what the simulator says after calibration, and what they take. Steps of the
/// cases of calibration and steps of the budgets take turns one by one, so that what else the machine does meets both alike.
/// </summary>
internal static class Predictions
{
    private const int Rounds = 40;
    private const double SecondsOfLinks = 6;
    private const double Bound = 0.10;
    private const int Seqlen = 256;
    private const int Rows = 4;

    // All travels and the widest tensor is recomputed; all travels, nothing is; all stays.
    private static readonly (string Name, double Device, double Host)[] Budgets =
    [
        ("tight", 0.021, 0.11),
        ("middle", 0.03, 0.25),
        ("ample", 0.2, 0.5),
    ];

    /// <summary>The table.</summary>
    public static Result Measure()
    {
        using var source = ModelSource.Open("micro");
        var device = DeviceOptions.Cpu;
        var calibration = new Calibration(device, Recipe.Fp32, SecondsOfLinks * 5);
        var runs = Budgets
            .Select(b => new Run(b.Name, source.Model, new MemoryBudget(Bytes.FromGiB(b.Host), Bytes.FromGiB(b.Device)), device))
            .ToList();
        var cases = CalibrationCase.Cpu.Select(c => CaseRun.Open(c, device, Recipe.Fp32)!).ToList();
        string load = CalibratedProfile.Load();
        var measured = new MachineMeasurement { Link = calibration.Links() };
        for (int round = 0; round < Rounds; round++)
        {
            // A budget's step after every few of the cases', each time in another order.
            for (int c = 0; c < cases.Count; c++)
            {
                cases[(c + round) % cases.Count].Measure(measured.Kernels);
                if (c % 3 == 2)
                {
                    runs[((c / 3) + round) % runs.Count].Step();
                }
            }

            Console.Error.WriteLine($"round {round + 1} of {Rounds}, load average {CalibratedProfile.Load()}");
        }

        var profile = CalibratedProfile.Of(measured, calibration, CalibratedProfile.Conditions(device, load));
        var quiet = profile with
        {
            Kernels = measured.Kernels.Rates(DType.Float32, "the shortest of all samples", measured.Link.Launch, SampleStatistic.Least),
        };
        var rows = runs.Select(r => r.Row(profile, quiet)).ToList();
        runs.ForEach(r => r.Dispose());
        cases.ForEach(c => c.Dispose());
        return new Result(
            "Predicted and measured steps on this CPU",
            $"models/micro.json, {Rows} rows of {Seqlen} tokens a step, fp32. The steps that `dataflow calibrate` measures kernel by "
                + $"kernel and the steps under each budget took turns, {Rounds} rounds "
                + $"({measured.Kernels.Count:N0} kernels measured). Predicted: the simulator with the rates of all rounds, which are "
                + $"means; measured: the mean of all {Rounds} steps of a budget, and their median. "
                + $"Within: mean and prediction differ by at most {Bound:P0}. Shortest: the same with every kernel and every op at the "
                + $"shortest of all its runs, "
                + "closer to an idle machine; an op is longer than a kernel and is left undisturbed less often, so that on a busy machine "
                + "this ratio is too high.",
            [
                "budget",
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
            ],
            rows
        );
    }

    private sealed class Run : IDisposable
    {
        private readonly string name;
        private readonly TrainingPlan plan;
        private readonly ITimedDevice device;
        private readonly long[] least;
        private readonly Trainer trainer;
        private readonly RandomTokens tokens;
        private readonly int[] rows;
        private readonly List<double> seconds = [];

        public Run(string name, ModelConfig model, MemoryBudget budget, DeviceOptions where)
        {
            this.name = name;
            var request = new PlanRequest(
                model,
                Recipe.Fp32,
                WorkloadKind.Training,
                Seqlen,
                Rows,
                new GeometryPins(128, Rounds: 2),
                budget
            );
            plan = Plans.Require(Planner.Plan(request));
            device = (ITimedDevice)where.Create(plan);
            least = [.. plan.Schedule.Ops.Select(_ => long.MaxValue)];
            trainer = new Trainer(plan.Workload, plan.Schedule, device);
            trainer.Load(WeightInitialiser.Weights(model, 1));
            tokens = new RandomTokens(Rows, Seqlen, model.VocabSize);
            rows = [.. Enumerable.Range(0, Rows)];
            trainer.Step(tokens, rows, Optimizer.AdamW.Defaults);
        }

        public void Step()
        {
            device.MeasureNextStep();
            var clock = Stopwatch.StartNew();
            trainer.Step(tokens, rows, Optimizer.AdamW.Defaults);
            seconds.Add(clock.Elapsed.TotalSeconds);
            var times = device.MeasuredStep().Ops;
            for (int i = 0; i < least.Length; i++)
            {
                least[i] = Math.Min(least[i], times[i].Duration);
            }
        }

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
            string Text(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
            return (
                [
                    name,
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
                ],
                new JsonObject
                {
                    ["budget"] = name,
                    ["device_bytes"] = plan.Budget.Device.Value,
                    ["host_bytes"] = plan.Budget.Host.Value,
                    ["plan_hash"] = plan.Hash,
                    ["ops"] = plan.Schedule.Ops.Length,
                    ["predicted_seconds"] = predicted,
                    ["measured_mean_seconds"] = mean,
                    ["measured_median_seconds"] = median,
                    ["measured_per_predicted"] = ratio,
                    ["within"] = within,
                    ["shortest_predicted_seconds"] = quietPredicted,
                    ["shortest_measured_seconds"] = quietMeasured,
                    ["shortest_measured_per_predicted"] = quietRatio,
                    ["seconds"] = new JsonArray([.. seconds.Select(s => JsonValue.Create(Math.Round(s, 4)))]),
                });
        }

        public void Dispose() => device.Dispose();
    }
}
