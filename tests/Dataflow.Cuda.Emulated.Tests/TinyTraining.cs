using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// Steps of models of a few thousand weights on a few tokens: for faults, of which one is as good in a small step as in a large one.
/// </summary>
internal static class TinyTraining
{
    private static readonly OptimizerSettings s_optimizer = new(1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f);

    /// <summary>
    /// A request of any shape: tied or not, QK-norm or not, chunks that rows do not divide, one round or several, clipped or not.
    /// </summary>
    private static PlanRequest Request(Random random)
    {
        int kv = random.Next(1, 3);
        var model = Model(kv * random.Next(1, 3), kv) with
        {
            VocabSize = random.Next(17, 300),
            ModelDim = 8 * random.Next(1, 4),
            LayerCount = random.Next(1, 4),
            HeadDim = 8 * random.Next(1, 3),
            FfnDim = 8 * random.Next(1, 4),
            TiedEmbedding = random.Next(2) == 0,
            QkNorm = random.Next(2) == 0,
        };
        int seqlen = random.Next(4, 13), rows = random.Next(1, 4);
        var pins = new GeometryPins(
            random.Next(3) == 0 ? null : random.Next(2, seqlen + 3), null, random.Next(2) == 0 ? null : random.Next(1, rows + 1),
            new VocabularyRows(model.VocabSize, random.Next(1, 3)).Count);
        var kind = random.Next(4) switch { 0 => WorkloadKind.Gradients, 1 => WorkloadKind.ClippedTraining, _ => WorkloadKind.Training };
        SaveSet? saved = random.Next(2) == 0 ? (SaveSet)random.Next((int)SaveSet.All + 1) : null;
        return new PlanRequest(model, random.Next(2) == 0 ? Recipe.Fp32 : Recipe.Bf16, kind, seqlen, rows, pins, Roomy, saved);
    }

    /// <summary>Always the same: two layers with all that a layer can have, a clipped step of two rows in chunks.</summary>
    public static TrainingPlan Plan(WorkloadKind kind = WorkloadKind.ClippedTraining) => Plan(kind, Recipe.Fp32, Optimizer.AdamW);

    /// <summary>The same by another recipe and optimizer.</summary>
    public static TrainingPlan Plan(WorkloadKind kind, Recipe recipe, Optimizer optimizer) => Tight(new PlanRequest(
        Model(4, 2) with { QkNorm = true }, recipe, kind, 8, 2, new GeometryPins(4), Roomy) { Optimizer = optimizer });

    /// <summary>A plan for a request of any shape, whose pins can be met.</summary>
    public static TrainingPlan Plan(Random random)
    {
        while (true)
        {
            try
            {
                return Plan(Request(random), random);
            }
            catch (UserErrorException)
            {
                // Rows that do not fill the rounds.
            }
        }
    }

    /// <summary>A plan somewhere between the least device memory that works and all that is of use.</summary>
    private static TrainingPlan Plan(PlanRequest request, Random random)
    {
        var tight = Tight(request);
        var roomy = Feasible(request);
        long device = random.Next(2) == 0 ? 0 : random.NextInt64(Math.Max(1, roomy.DevicePeak.Value - tight.DevicePeak.Value));
        return Feasible(request with { Budget = request.Budget with { Device = tight.DevicePeak + new Bytes(device) } });
    }

    /// <summary>A trainer with initial weights.</summary>
    public static Trainer Trainer(TrainingPlan plan, Schedule schedule, IDevice device)
    {
        var trainer = new Trainer(plan.Workload, schedule, device);
        trainer.Load(WeightInitialiser.Weights(plan.Workload.Model, 1));
        return trainer;
    }

    /// <summary>One step on its tokens.</summary>
    public static StepReport Step(TrainingPlan plan, Trainer trainer)
    {
        var geometry = plan.Workload.Geometry;
        return trainer.Step(
            new Tokens(plan.Workload.Model.VocabSize, geometry.Rows, geometry.Seqlen),
            [.. Enumerable.Range(0, geometry.Rows)],
            s_optimizer,
            clipNorm: 1
        );
    }

    /// <summary>Steps with nothing between them: only waits of distance 1 keep one from the next.</summary>
    public static void StepsWithoutPause(Schedule schedule, IDevice device, int steps)
    {
        device.BeginStep(new StepArguments(2, s_optimizer, 0.1f, ClipNorm: 1));
        for (int step = 0; step < steps; step++)
        {
            for (int op = 0; op < schedule.Ops.Length; op++)
            {
                foreach (var wait in schedule.Ops[op].Waits)
                {
                    device.Wait(schedule.Ops[op].Stream, wait);
                }

                device.Launch(op);
            }
        }

        device.Synchronize();
    }

    private static MemoryBudget Roomy { get; } = new(new Bytes(1 << 28), new Bytes(1 << 28));

    private static ModelConfig Model(int heads, int kvHeads) =>
        new()
        {
            Name = "tiny",
            VocabSize = 40,
            ModelDim = 16,
            LayerCount = 2,
            HeadCount = heads,
            KvHeadCount = kvHeads,
            HeadDim = 8,
            FfnDim = 24,
            RopeTheta = 10000,
            RmsNormEps = 1e-5f,
        };

    private static TrainingPlan Tight(PlanRequest request) =>
        Feasible(request with { Budget = request.Budget with { Device = Planner.Smallest(request).Device!.Value } });

    private static TrainingPlan Feasible(PlanRequest request) => Planner.Plan(request) switch
    {
        PlanResult.Feasible f => f.Plan,
        PlanResult.Infeasible i => throw new InvalidOperationException(i.Reason),
        _ => throw new InvalidOperationException("no result"),
    };

    /// <summary>Rows of numbers that are all different at first and repeat.</summary>
    private sealed class Tokens(int vocabulary, int rows, int seqlen) : ITokenSource
    {
        public int RowCount => rows;

        public int RowLength => seqlen + 1;

        public IReadOnlyList<int>? Documents(int row) => null;

        public void Read(int row, Span<int> destination)
        {
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = (vocabulary - 1 + (row * 5) + (i * (vocabulary + 7))) % vocabulary;
            }
        }
    }
}
