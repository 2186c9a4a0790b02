using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>
/// Policy auto on the CPU device: whatever the search keeps, moves or interleaves, the step computes the same bits for the same geometry.
/// DATAFLOW_SOAK=1 takes 200 plans, the suite the first of them.
/// </summary>
[Trait("Slow", "true")]
public class SearchedPlansTests
{
    private static readonly int Plans = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 200 : 40;
    private const int Rows = 8;
    private const int Seqlen = 16;
    private static readonly string[] Machines = ["h100-sxm", "rtx5090", "cpu"];

    [Trait("Soak", "true")]
    [Fact]
    public void Plans_over_random_budgets_train_to_the_same_bits_for_each_geometry()
    {
        var known = new Dictionary<(string, WorkloadKind, Geometry), byte[]>();
        var searches =
            new Dictionary<(string, WorkloadKind, GeometryPins, string), (PlanRequest Request, PlanSearch Search, CostModel Machine)>();
        var different = new HashSet<string>();
        int interleaved = 0, compared = 0;
        for (int i = 0; i < Plans; i++)
        {
            var random = new Random(i);
            string name = random.Next(5) == 0 ? "micro" : "nano", machine = Machines[random.Next(Machines.Length)];
            var kind = random.Next(2) == 0 ? WorkloadKind.Gradients : WorkloadKind.Training;
            var pins = random.Next(5) switch
            {
                0 => new GeometryPins(),
                1 => new GeometryPins(16, 2),
                2 => new GeometryPins(8, 2),
                _ => new GeometryPins(16, 1),
            };
            var key = (name, kind, pins, machine);
            if (!searches.TryGetValue(key, out var search))
            {
                var profile = HardwareProfileReader.Parse(Checkout("profiling", "hardware", machine + ".json"), machine);
                var request = new PlanRequest(
                    ModelConfigReader.Parse(Checkout("models", name + ".json"), name),
                    Recipe.Fp32,
                    kind,
                    Seqlen,
                    Rows,
                    pins,
                    GoldenCase.Roomy
                );
                var costs = new CostModel(profile, DType.Float32);
                searches[key] = search = (request, new PlanSearch(request, costs), costs);
            }

            var budget = Budget(random, search.Request);
            if (search.Search.Find(budget) is not SearchResult.Found { Best: var best })
            {
                continue;
            }

            var plan = Planner.PlanFor(search.Request with { Budget = budget }, best.Choice, search.Machine);
            Assert.True(plan.DevicePeak <= budget.Device && plan.HostPeak <= budget.Host);
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets));
            interleaved += best.Choice.Residency.Interleaved ? 1 : 0;
            different.Add(plan.Hash);
            byte[] bits = Train(plan, i);
            if (!known.TryAdd((name, kind, best.Choice.Geometry), bits))
            {
                compared++;
                Assert.True(
                    known[(name, kind, best.Choice.Geometry)].AsSpan().SequenceEqual(bits),
                    $"plan {i} computes something else: {best.Choice}"
                );
            }
        }

        Assert.True(
            compared > Plans / 2 && interleaved > Plans / 15 && different.Count > Plans / 4,
            $"{compared} compared, {interleaved} interleaved, {different.Count} different"
        );
    }

    /// <summary>Every bit of the loss and of the gradients, or of the weights and moments after a step.</summary>
    private static byte[] Train(TrainingPlan plan, int order)
    {
        using var device = new CpuDevices().Open(plan.Schedule, plan.Workload, order % 5);
        var model = plan.Workload.Model;
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(WeightInitialiser.Weights(model, 7));
        var report = trainer.Step(
            new RandomTokens(Rows, plan.Workload.Geometry.Seqlen, model.VocabSize),
            [.. Enumerable.Range(0, Rows)],
            new OptimizerSettings(1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f)
        );
        IWeightSource[] sources =
            plan.Workload.Kind == WorkloadKind.Gradients
                ? [trainer.Gradients]
                : [trainer.Weights, .. trainer.OptimizerState];
        return
        [
            .. BitConverter.GetBytes(report.Loss),
            .. sources.SelectMany(s =>
                GoldenCase
                    .Tensors(s)
                    .OrderBy(t => t.Key, StringComparer.Ordinal)
                    .SelectMany(t => System.Runtime.InteropServices.MemoryMarshal.AsBytes(t.Value.AsSpan()).ToArray())
            ),
        ];
    }

    /// <summary>Between the least and more than enough of both memories.</summary>
    private static MemoryBudget Budget(Random random, PlanRequest request)
    {
        var (device, _) = Planner.Smallest(request);
        double Factor(double most) => Math.Pow(most, random.NextDouble());
        return new MemoryBudget(new Bytes((long)(Factor(12) * (8 << 20))), new Bytes((long)(Factor(25) * device!.Value.Value)));
    }

    private static string Checkout(params string[] path)
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Dataflow.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return File.ReadAllText(Path.Combine([folder, .. path]));
    }
}
