using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>Windows that are streamed by segment: the bits of whole windows, whatever the segments, save sets, slots and timing.</summary>
public class SegmentTests
{
    private static readonly TensorSet[] SaveSets =
    [
        TensorSet.Kv | TensorSet.Attention, TensorSet.Kv | TensorSet.Attention | TensorSet.Query | TensorSet.Residual, TensorSet.All,
        TensorSet.Kv | TensorSet.Attention | TensorSet.GateUp, TensorSet.Kv | TensorSet.Attention | TensorSet.Query,
    ];

    /// <summary>Chunks of a window: 8, 5 (2 rounds), 8 of documents that cross chunk borders, 8 that rows do not divide, 6.</summary>
    public static TheoryData<string, string, int, int> Cases => new()
    {
        { "llama-long", "fp32", 128, 8 }, { "llama-long", "bf16", 205, 5 },
        { "llama-documents", "fp32", 16, 8 }, { "llama-documents", "bf16", 16, 24 }, { "llama-documents", "fp32", 48, 8 }, { "llama-documents", "bf16", 48, 8 },
        { "qwen3-small", "fp32", 16, 6 }, { "qwen3-small", "bf16", 16, 12 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Segments_do_not_change_a_bit(string name, string dtype, int chunk, int chunksPerRound)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Named(dtype), WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound)));
        byte[] want = Bits(golden.Gradients(whole));
        foreach (int segments in new[] { 2, 3, 4 })
        {
            foreach (var saved in SaveSets)
            {
                foreach (var tier in new[] { Tier.Bare, Tier.Doubled })
                {
                    var plan = Streamed(whole.Workload, saved, tier, segments);
                    Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [plan.Budget.Device, plan.Budget.Host]));
                    Assert.True(want.AsSpan().SequenceEqual(Bits(golden.Gradients(plan))), $"{segments} segments, {tier}, {saved}");
                }
            }
        }
    }

    [Theory]
    [InlineData("llama-long", 128)]
    [InlineData("llama-long", 32)]
    [InlineData("llama-documents", 16)]
    [InlineData("llama-documents", 48)]
    [InlineData("qwen3-small", 16)]
    public void Gradients_agree_with_the_golden_files(string name, int chunk)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk)));
        var (loss, gradients) = golden.Gradients(Streamed(whole.Workload, SaveSets[0], Tier.Bare, 4));
        Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-6);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            double error = GoldenCase.RelativeL2(gradients[tensor], want);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }

    [Theory]
    [InlineData("llama-long", 128, 8, Tier.Bare)]
    [InlineData("llama-documents", 16, 8, Tier.Doubled)]
    [InlineData("llama-documents", 48, 8, Tier.Bare)]
    [InlineData("qwen3-small", 16, 6, Tier.Doubled)]
    internal void Thirty_adversarial_interleavings_do_not_change_a_bit(string name, int chunk, int chunksPerRound, Tier tier)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound)));
        byte[] want = Bits(golden.Gradients(whole));
        for (int seed = 0; seed < 30; seed++)
        {
            var plan = Streamed(whole.Workload, SaveSets[seed % SaveSets.Length], tier, 2 + (seed % 3));
            Assert.Equal(want, Bits(golden.Gradients(plan, seed, threads: 1)));
        }
    }

    [Theory]
    [InlineData("llama-long", 128, WorkloadKind.Training)]
    [InlineData("llama-documents", 16, WorkloadKind.ClippedTraining)]
    [InlineData("qwen3-small", 16, WorkloadKind.Training)]
    public void Steps_and_the_evaluations_between_them_have_the_bits_of_whole_windows(string name, int chunk, WorkloadKind kind)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Recipe.Bf16, kind, pins: new GeometryPins(chunk)));
        byte[] want = Train(golden, whole, null);
        foreach (var (segments, tier) in new[] { (2, Tier.Bare), (2, Tier.Doubled), (3, Tier.Doubled), (4, Tier.Bare) })
        {
            var plan = Streamed(whole.Workload, SaveSets[segments - 2], tier, segments);
            Assert.Equal(want, Train(golden, plan, null));
            Assert.Equal(want, Train(golden, plan, 7));
        }
    }

    /// <summary>The least budget of a long context is one of segments, and the trainer does not see a difference.</summary>
    [Fact]
    public void The_planner_streams_windows_that_do_not_fit()
    {
        var golden = new GoldenCase("llama-long");
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(64));
        var tight = GoldenCase.Tight(request);
        Assert.True(tight.Residency.WindowSegments > 1);
        Assert.Contains(tight.Schedule.Ops, o => o.Kind == OpKind.Attend);
        Assert.Equal(Bits(golden.Gradients(GoldenCase.Plan(request))), Bits(golden.Gradients(tight)));
    }

    private static byte[] Train(GoldenCase golden, TrainingPlan plan, int? interleaving)
    {
        var evaluation = Planner.Evaluation(plan);
        Assert.Empty(ScheduleVerifier.Verify(evaluation, [plan.Budget.Device, plan.Budget.Host]));
        using IDevice device = interleaving is { } seed
            ? new InterleavedCpuDevice(plan.Schedule, plan.Workload, 1, seed)
            : new CpuDevice(plan.Schedule, plan.Workload, 2);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        var trainer = golden.Trainer(plan, device, new Executor(evaluation, beside));
        int[] rows = [.. Enumerable.Range(0, golden.Rows)];
        double loss = 0;
        for (int i = 0; i < 2; i++)
        {
            double evaluated = trainer.Evaluate(golden.Tokens(), rows);
            loss = trainer.Step(golden.Tokens(), rows, golden.AdamW, clipNorm: 0.1f).Loss;
            Assert.Equal(evaluated, loss);
        }

        return Bits((loss, GoldenCase.Tensors(trainer.Weights)));
    }

    private static TrainingPlan Streamed(Workload workload, TensorSet saved, Tier tier, int segments)
    {
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        return Planner.PlanFor(workload, new ResidencyChain(workload, programs, saved, tier, workload.Geometry.SegmentsUpTo(segments))[0]);
    }

    private static Recipe Named(string dtype) => Recipe.All.Single(r => r.Name == dtype);

    private static byte[] Bits((double Loss, Dictionary<string, float[]> Tensors) result) =>
        [.. BitConverter.GetBytes(result.Loss), .. result.Tensors.OrderBy(t => t.Key, StringComparer.Ordinal).SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes))];
}
