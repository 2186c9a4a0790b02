using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Conformance;

/// <summary>The other shapes of a step: clipped by global norm, and evaluation between two training steps.</summary>
public abstract class StepShapeConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Case, tokens of a chunk, chunks of a round, blocks of the vocabulary.</summary>
    public static TheoryData<string, int, int, int> Cases
    {
        get
        {
            (string Name, int, int, int)[] all =
            [
                ("llama-small", 64, 1, 1), ("qwen3-small", 32, 3, 1), ("llama-long", 256, 4, 1), ("llama-documents", 64, 2, 1),
                ("llama-small", 64, 1, 3), ("qwen3-small", 32, 3, 3), ("llama-documents", 64, 2, 2),
            ];
            return [.. Sample(all.Where(c => Affords(c.Name)))];
        }
    }

    /// <summary>Norm and update against float64, and the same bits over budgets and orders.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void A_clipped_step_is_AdamW_on_scaled_gradients(string name, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        var pins = new GeometryPins(chunk, chunksPerRound, VocabularyBlocks: blocks);
        var gradients = golden.File("gradients.safetensors");
        double norm = Math.Sqrt(gradients.Values.Sum(g => g.Sum(x => (double)x * x)));
        float clip = (float)(norm / 3);
        var request = golden.Request(Recipe.Fp32, WorkloadKind.ClippedTraining, pins: pins);
        byte[]? bits = null;
        foreach (var plan in new[] { GoldenCase.Plan(request), GoldenCase.Tight(request) })
        {
            Verified(plan);
            foreach (int order in Some([0, 3, 4, 5], 1, name, chunk + blocks))
            {
                using var device = Device.Open(plan.Schedule, plan.Workload, order);
                var trainer = golden.Trainer(plan, device);
                var report = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, clip);
                Assert.Equal(norm, report.GradientNorm!.Value, norm * 1e-6);
                var weights = GoldenCase.Tensors(trainer.Weights);
                CheckStep(golden, weights, gradients, clip / (norm + 1e-6));
                byte[] now = Bits((report.Loss, weights));
                AssertSame(bits ??= now, now, $"order {order} of {plan.Budget}");
            }
        }
    }

    /// <summary>A limit that is never reached.</summary>
    [Fact]
    public void A_norm_below_the_limit_leaves_the_trajectory_alone()
    {
        var golden = new GoldenCase("llama-small");
        var pins = new GeometryPins(64, 1);
        double[] plain = Losses(golden, golden.Request(Recipe.Fp32, WorkloadKind.Training, pins: pins));
        Assert.Equal(plain, Losses(golden, golden.Request(Recipe.Fp32, WorkloadKind.ClippedTraining, pins: pins)));
    }

    /// <summary>Over the same arenas, between any two steps.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Evaluation_between_steps_gives_the_loss_and_changes_nothing(string name, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        var pins = new GeometryPins(chunk, chunksPerRound, VocabularyBlocks: blocks);
        (WorkloadKind Kind, int Budget, int Order)[] all =
        [
            .. from kind in new[] { WorkloadKind.Training, WorkloadKind.ClippedTraining }
               from budget in new[] { 0, 1, 2 }
               from order in new[] { 0, 5 }
               select (kind, budget, order),
        ];
        foreach (var (kind, budget, order) in Some(all, 1, name, chunk + blocks))
        {
            var request = golden.Request(Recipe.Fp32, kind, pins: pins);
            var plan = budget switch { 0 => GoldenCase.Plan(request), 1 => GoldenCase.Tight(request), _ => Middle(request) };
            var evaluation = Planner.Evaluation(plan);
            Assert.Empty(ScheduleVerifier.Verify(evaluation, plan.ArenaBudgets));
            Assert.Subset(Places(plan.Schedule), Places(evaluation));
            using var device = Device.Open(plan.Schedule, plan.Workload, order);
            using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
            var trainer = golden.Trainer(plan, device, new Executor(evaluation, beside));
            foreach (double want in golden.Losses.Take(Device.IsSlow ? 2 : int.MaxValue))
            {
                double evaluated = trainer.Evaluate(golden.Tokens(), golden.AllRows);
                Assert.Equal(0, (evaluated - want) / want, 1e-5);
                Assert.Equal(evaluated, trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss);
            }
        }
    }

    private static TrainingPlan Middle(PlanRequest request) => GoldenCase.Plan(request with
    {
        Budget = request.Budget with { Device = new Bytes(GoldenCase.Tight(request).DevicePeak.Value * 3 / 2) },
    });

    private static HashSet<string> Places(Schedule schedule) =>
        [.. schedule.State.Select(p => $"{schedule.Objects[p.Object].Name} in {schedule.Slots[p.Slot].Name}")];

    private static double[] Losses(GoldenCase golden, PlanRequest request)
    {
        var plan = GoldenCase.Tight(request);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        return [.. Enumerable.Range(0, 4).Select(_ => trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 1e9f).Loss)];
    }

    /// <summary>One AdamW step in float64 from the oracle's gradients.</summary>
    private static void CheckStep(GoldenCase golden, Dictionary<string, float[]> got, Dictionary<string, float[]> gradients, double scale)
    {
        var (start, a) = (golden.File("model.safetensors"), golden.AdamW);
        double worst = 0, total = 0;
        foreach (var (name, g) in gradients)
        {
            for (int i = 0; i < g.Length; i++)
            {
                // After one step both bias-corrected moments are the gradient and its square.
                double update = g[i] * scale / (Math.Abs(g[i] * scale) + a.Epsilon);
                double want = (start[name][i] * (1 - ((double)a.LearningRate * a.WeightDecay))) - (a.LearningRate * update);
                worst += Math.Pow(got[name][i] - want, 2);
                total += Math.Pow(want - start[name][i], 2);
            }
        }

        Assert.True(Math.Sqrt(worst / total) < 3e-4, $"the change is off by {Math.Sqrt(worst / total):g3}");
    }
}
