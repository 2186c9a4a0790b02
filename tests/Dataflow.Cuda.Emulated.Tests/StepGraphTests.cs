using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// Steps that are launched as graphs have the bits of steps that are launched op by op, whatever differs from one step to the next.
/// </summary>
[Trait("Slow", "true")]
public sealed class StepGraphTests : IDisposable
{
    private const int Steps = 5;
    private readonly string folder = Directory.CreateTempSubdirectory("graphs-").FullName;

    /// <summary>Every optimizer, and the recipes in turn.</summary>
    public static TheoryData<string, string> Cases =>
        [.. Optimizer.All.Append(Optimizer.AdamW.Averaged!).Select((o, i) => (o.Name, Recipe.All[i % Recipe.All.Count].Name))];

    private static long GraphLaunches => CudaEmulation.Get("graph_launches");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_optimizer_trains_to_the_same_bits(string optimizer, string recipe)
    {
        var plan = PlanOf(optimizer, recipe);
        byte[] launched = Train(plan, graphs: false);
        long before = GraphLaunches;
        Assert.Equal(launched, Train(plan, graphs: true));
        Assert.Equal(Steps - 1, GraphLaunches - before);
    }

    [Fact]
    public void A_resumed_run_goes_on_to_the_same_bits()
    {
        var plan = PlanOf("adamw", "bf16-sr");
        byte[] unbroken = Train(plan, graphs: false);
        using var store = CheckpointStore.Open(folder, keep: 1, Assert.Fail);
        using (var device = Open(plan, graphs: true))
        {
            var trainer = TinyTraining.Trainer(plan, plan.Schedule, device);
            Array.ForEach([1, 2, 3], step => Take(plan, trainer, step));
            store.Save(trainer.State, new TrainingProgress(3, 0, "bf16-sr", plan.Workload.Geometry) { Optimizer = "adamw" });
        }

        using var other = Open(plan, graphs: true);
        var resumed = TinyTraining.Trainer(plan, plan.Schedule, other);
        store.Load(CheckpointSearch.Find(folder, Assert.Fail), resumed);
        Array.ForEach([4, 5], step => Take(plan, resumed, step));
        Assert.Equal(unbroken, BitsOf(resumed));
    }

    [Fact]
    public void Steps_with_other_values_are_captured_anew()
    {
        var plan = PlanOf("muon", "bf16");
        byte[] launched = Train(plan, graphs: false, WithOthers);
        long before = GraphLaunches;
        Assert.Equal(launched, Train(plan, graphs: true, WithOthers));
        Assert.Equal(2, GraphLaunches - before);
        Assert.NotEqual(launched, Train(plan, graphs: false));

        // Other steps of Newton-Schulz from the third step on.
        static void WithOthers(TrainingPlan plan, Trainer trainer)
        {
            for (int step = 1; step <= 4; step++)
            {
                Take(plan, trainer, step, step < 3 ? null : s => s with { NewtonSchulzSteps = 3 });
            }
        }
    }

    [Fact]
    public void Groups_are_part_of_what_was_captured()
    {
        var plan = PlanOf("adamw", "fp32");
        var groups = new ParameterGroups { Groups = [ParameterGroup.Parse("*.k_proj.*|*.up_proj.*:factor=0.25,decay=0.5")] };
        byte[] Train(bool graphs)
        {
            using var device = Open(plan, graphs);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device) { Updates = UpdateTable.Of(plan.Workload, groups, 1e-3f) };
            trainer.Load(WeightInitialiser.Weights(plan.Workload.Model, 1));
            AllSteps(plan, trainer);
            return BitsOf(trainer);
        }

        long before = GraphLaunches;
        Assert.Equal(Train(graphs: false), Train(graphs: true));
        Assert.Equal(Steps - 1, GraphLaunches - before);
        Assert.NotEqual(Train(graphs: true), StepGraphTests.Train(plan, graphs: true));
    }

    [Fact]
    public void Steps_that_are_measured_or_looked_into_are_launched_op_by_op()
    {
        var plan = PlanOf("adamw", "bf16");
        byte[] launched = Train(plan, graphs: false);
        using var device = Open(plan, graphs: true);
        var trainer = TinyTraining.Trainer(plan, plan.Schedule, device);
        long before = GraphLaunches;
        int seen = 0;
        for (int step = 1; step <= Steps; step++)
        {
            if (step == 3)
            {
                device.MeasureNextStep();
            }

            using var looking = step == 4 ? device.Inspect(_ => seen++) : null;
            Take(plan, trainer, step);
            if (step == 3)
            {
                Assert.Equal(plan.Schedule.Ops.Length, device.MeasuredStep().Ops.Length);
            }
        }

        Assert.True(seen > plan.Schedule.Ops.Length);
        Assert.Equal(2, GraphLaunches - before); // the second and the fifth
        Assert.Equal(launched, BitsOf(trainer));
    }

    [Fact]
    public void A_driver_that_captures_nothing_is_named_or_the_run_goes_on_without()
    {
        var plan = PlanOf("adamw", "fp32");
        byte[] launched = Train(plan, graphs: false);
        CudaEmulation.Set("stream_capture", 0);
        try
        {
            var said = new List<string>();
            using (var device = EmulatedGraphDevices.Open(plan.Schedule, plan.Workload, 0, said.Add))
            {
                var trainer = TinyTraining.Trainer(plan, plan.Schedule, device);
                AllSteps(plan, trainer);
                Assert.Equal(launched, BitsOf(trainer));
            }

            string once = Assert.Single(said);
            Assert.StartsWith("steps cannot be launched as CUDA graphs: beginning to capture", once, StringComparison.Ordinal);
            Assert.EndsWith("; they are launched op by op", once, StringComparison.Ordinal);
            string refusal = Assert.Throws<MachineException>(() => Train(plan, graphs: true)).Message;
            Assert.EndsWith("; give --cuda-graphs off", refusal, StringComparison.Ordinal);
        }
        finally
        {
            CudaEmulation.Set("stream_capture", 1);
        }
    }

    /// <summary>Edges of the graph are the schedule's waits: the driver finds one that is missing in a replay as in a launch.</summary>
    [Fact]
    public void A_needed_wait_that_is_missing_is_missing_in_the_graph()
    {
        int found = 0, all = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            var random = new Random(seed);
            var plan = TinyTraining.Plan(random);
            Assert.Null(Fault(plan, plan.Schedule, seed));
            (int Op, Wait Wait)[] waits =
            [
                .. plan.Schedule.Ops.SelectMany((op, i) => op.Waits.Where(w => w.Distance == 0).Select(w => (i, w))),
            ];
            if (waits.Length == 0)
            {
                continue;
            }

            var (at, wait) = waits[random.Next(waits.Length)];
            var op = plan.Schedule.Ops[at];
            var broken = plan.Schedule with { Ops = plan.Schedule.Ops.SetItem(at, op with { Waits = op.Waits.Remove(wait) }) };
            all++;
            found += Fault(plan, broken, seed) is null ? 0 : 1;
        }

        Assert.True(all > 6);
        Assert.Equal(all, found);
    }

    // What the driver says of a schedule's replays.
    private static string? Fault(TrainingPlan plan, Schedule schedule, int seed)
    {
        using var device = EmulatedGraphDevices.Open(schedule, plan.Workload, seed, refused: null);
        using var whole = device.For(plan.Schedule, plan.Workload);
        var trainer = TinyTraining.Trainer(plan, plan.Schedule, whole);
        try
        {
            _ = TinyTraining.Step(plan, trainer);
            var arguments = new StepArguments(2, Numbers, 0.1f, ClipNorm: 1);
            for (int step = 0; step < 3; step++)
            {
                try
                {
                    new Executor(schedule, device).RunStep(arguments);
                }
                catch (CudaException) when (step == 0)
                {
                    CudaEmulation.ClearError(); // the one that is launched op by op
                }
            }

            return null;
        }
        catch (CudaException e)
        {
            CudaEmulation.ClearError();
            return e.Message;
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }

    private static OptimizerSettings Numbers { get; } = new(1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f);

    private static TrainingPlan PlanOf(string optimizer, string recipe) => TinyTraining.Plan(
        WorkloadKind.ClippedTraining,
        Recipe.All.Single(r => r.Name == recipe),
        Optimizer.All.Append(Optimizer.AdamW.Averaged!).Single(o => o.Name == optimizer)
    );

    private static CudaDevice Open(TrainingPlan plan, bool graphs) =>
        graphs
            ? EmulatedGraphDevices.Open(plan.Schedule, plan.Workload, 0, refused: null)
            : (CudaDevice)new EmulatedDevices().Open(plan.Schedule, plan.Workload, 0);

    private static byte[] Train(TrainingPlan plan, bool graphs, Action<TrainingPlan, Trainer>? steps = null)
    {
        using var device = Open(plan, graphs);
        var trainer = TinyTraining.Trainer(plan, plan.Schedule, device);
        (steps ?? AllSteps)(plan, trainer);
        return BitsOf(trainer);
    }

    private static void AllSteps(TrainingPlan plan, Trainer trainer)
    {
        for (int step = 1; step <= Steps; step++)
        {
            Take(plan, trainer, step);
        }
    }

    // Other rows, another rate and another bound of the norm each step.
    private static void Take(TrainingPlan plan, Trainer trainer, int step, Func<OptimizerSettings, OptimizerSettings>? other = null)
    {
        var workload = plan.Workload;
        var numbers = workload.Optimizer.Defaults with { LearningRate = 1e-3f * step };
        var rows = Enumerable.Range(step, workload.Geometry.Rows).ToArray();
        _ = trainer.Step(new Rows(workload, Steps + rows.Length), rows, other?.Invoke(numbers) ?? numbers, clipNorm: 0.5f / step);
    }

    private static byte[] BitsOf(Trainer trainer) =>
        [
            .. GoldenCase
                .Tensors(trainer.Weights)
                .OrderBy(t => t.Key, StringComparer.Ordinal)
                .SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes)),
            .. trainer.OptimizerState.SelectMany((_, i) => trainer.State.ValuesOf(i)).SelectMany(t => t.Values),
        ];

    /// <summary>Rows that are all different.</summary>
    private sealed class Rows(Workload workload, int count) : ITokenSource
    {
        public int RowCount => count;

        public int RowLength => workload.Geometry.Seqlen + 1;

        public IReadOnlyList<int>? Documents(int row) => null;

        public void Read(int row, Span<int> destination)
        {
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = ((row * 11) + (i * (3 + row))) % workload.Model.VocabSize;
            }
        }
    }
}
