using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>The other shapes of a step: clipped by global norm, and evaluation between two training steps.</summary>
public class StepShapeTests
{
    public static TheoryData<string, int, int, int> Cases => new()
    {
        { "llama-small", 64, 1, 1 }, { "qwen3-small", 32, 3, 1 }, { "llama-long", 256, 4, 1 }, { "llama-documents", 64, 2, 1 },
        { "llama-small", 64, 1, 3 }, { "qwen3-small", 32, 3, 3 }, { "llama-documents", 64, 2, 2 },
    };

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
        TrainingPlan[] plans = [GoldenCase.Plan(request), GoldenCase.Tight(request)];
        byte[]? bits = null;
        foreach (var plan in plans)
        {
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [plan.Budget.Device, plan.Budget.Host]));
            foreach (int? interleaving in new int?[] { null, 1, 2, 3 })
            {
                using var device = Device(plan, interleaving);
                var trainer = golden.Trainer(plan, device);
                var report = trainer.Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW, clip);
                Assert.Equal(norm, report.GradientNorm!.Value, norm * 1e-6);
                var weights = GoldenCase.Tensors(trainer.Weights);
                CheckStep(golden, weights, gradients, clip / (norm + 1e-6));
                byte[] now = [.. weights.OrderBy(w => w.Key, StringComparer.Ordinal).SelectMany(w => w.Value.SelectMany(BitConverter.GetBytes))];
                Assert.Equal(bits ??= now, now);
            }
        }
    }

    [Fact]
    public void A_norm_below_the_limit_leaves_the_trajectory_alone()
    {
        var golden = new GoldenCase("llama-small");
        var pins = new GeometryPins(64, 1);
        var plain = Losses(golden, golden.Request(Recipe.Fp32, WorkloadKind.Training, pins: pins));
        Assert.Equal(plain, Losses(golden, golden.Request(Recipe.Fp32, WorkloadKind.ClippedTraining, pins: pins)));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Evaluation_between_steps_gives_the_loss_and_changes_nothing(string name, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        foreach (var kind in new[] { WorkloadKind.Training, WorkloadKind.ClippedTraining })
        {
            var request = golden.Request(Recipe.Fp32, kind, pins: new GeometryPins(chunk, chunksPerRound, VocabularyBlocks: blocks));
            var least = GoldenCase.Tight(request);
            var middle = GoldenCase.Plan(request with { Budget = request.Budget with { Device = new Bytes(least.DevicePeak.Value * 3 / 2) } });
            foreach (var plan in new[] { GoldenCase.Plan(request), least, middle })
            {
                var evaluation = Planner.Evaluation(plan);
                Assert.Empty(ScheduleVerifier.Verify(evaluation, [plan.Budget.Device, plan.Budget.Host]));
                Assert.Subset(Places(plan.Schedule), Places(evaluation));
                foreach (int? interleaving in new int?[] { null, 5 })
                {
                    using var device = Device(plan, interleaving);
                    using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
                    var trainer = golden.Trainer(plan, device, new Executor(evaluation, beside));
                    int[] rows = [.. Enumerable.Range(0, golden.Rows)];
                    foreach (double want in golden.Losses)
                    {
                        double evaluated = trainer.Evaluate(golden.Tokens(), rows);
                        Assert.Equal(0, (evaluated - want) / want, 1e-5);
                        Assert.Equal(evaluated, trainer.Step(golden.Tokens(), rows, golden.AdamW).Loss);
                    }
                }
            }
        }
    }

    private static HashSet<string> Places(Schedule schedule) =>
        [.. schedule.State.Select(p => $"{schedule.Objects[p.Object].Name} in {schedule.Slots[p.Slot].Name}")];

    private static IDevice Device(TrainingPlan plan, int? interleaving) => interleaving is { } seed
        ? new InterleavedCpuDevice(plan.Schedule, plan.Workload, 1, seed)
        : new CpuDevice(plan.Schedule, plan.Workload, 2);

    private static double[] Losses(GoldenCase golden, PlanRequest request)
    {
        var plan = GoldenCase.Tight(request);
        using var device = Device(plan, null);
        var trainer = golden.Trainer(plan, device);
        return [.. Enumerable.Range(0, 4).Select(_ => trainer.Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW, 1e9f).Loss)];
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
