using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>Law 8: for a fixed geometry, results are the same bits whatever the budgets, save sets, timing and threads.</summary>
public class EquivalenceTests
{
    private static readonly TensorSet[] SaveSets =
    [
        TensorSet.None, TensorSet.Kv, TensorSet.Kv | TensorSet.Attention, TensorSet.Attention,
        TensorSet.Kv | TensorSet.Attention | TensorSet.Query | TensorSet.Residual, TensorSet.Attention | TensorSet.Query | TensorSet.Residual,
        TensorSet.All, TensorSet.All & ~TensorSet.Kv, TensorSet.Kv | TensorSet.GateUp, TensorSet.Query, TensorSet.Residual,
    ];

    public static TheoryData<string, string, int, int, int> Geometries => new()
    {
        { "llama-small", "fp32", 32, 2, 1 }, { "llama-small", "bf16", 64, 2, 1 }, { "qwen3-small", "fp32", 32, 3, 1 }, { "qwen3-small", "bf16", 96, 1, 1 },
        { "llama-documents", "fp32", 64, 2, 1 }, { "llama-long", "fp32", 256, 4, 1 }, { "qwen3-hd128", "fp32", 64, 5, 1 }, { "llama-hd64", "bf16", 48, 4, 1 },
        { "llama-small", "bf16", 32, 2, 2 }, { "llama-small", "fp32", 64, 3, 3 }, { "qwen3-small", "bf16", 32, 3, 2 }, { "qwen3-small", "fp32", 96, 1, 3 },
    };

    [Theory]
    [MemberData(nameof(Geometries))]
    public void Budgets_and_save_sets_do_not_change_a_bit(string name, string dtype, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        var request = Request(golden, dtype, chunk, chunksPerRound, blocks);
        byte[] want = Bits(golden.Gradients(GoldenCase.Plan(request)));
        foreach (var saved in SaveSets)
        {
            var one = request with { SaveSet = saved };
            var tight = GoldenCase.Tight(one);
            Assert.Equal(want, Bits(golden.Gradients(tight)));
            AssertExact(want, golden, Verified(GoldenCase.Plan(one)));
        }

        var (least, _) = Planner.Smallest(request);
        var roomy = GoldenCase.Plan(request).DevicePeak;
        for (int i = 0; i <= 5; i++)
        {
            var budget = request.Budget with { Device = new Bytes(least!.Value.Value + ((roomy.Value - least.Value.Value) * i / 5)) };
            AssertExact(want, golden, Verified(GoldenCase.Plan(request with { Budget = budget })));
        }
    }

    [Theory]
    [InlineData("llama-long", 128, 8, 1)]
    [InlineData("llama-documents", 64, 2, 1)]
    [InlineData("qwen3-small", 32, 3, 1)]
    [InlineData("qwen3-small", 32, 3, 3)]
    [InlineData("llama-small", 32, 2, 2)]
    public void Fifty_adversarial_interleavings_do_not_change_a_bit(string name, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        var plan = GoldenCase.Tight(Request(golden, "fp32", chunk, chunksPerRound, blocks));
        byte[] want = Bits(golden.Gradients(plan, threads: 1));
        for (int seed = 0; seed < 50; seed++)
        {
            Assert.Equal(want, Bits(golden.Gradients(plan, seed, threads: 1)));
        }
    }

    [Theory]
    [InlineData("llama-small", 2, 3, 1)]
    [InlineData("llama-small", 2, 3, 3)]
    [InlineData("qwen3-small", 3, 2, 2)]
    [InlineData("qwen3-small", 6, 1, 3)]
    public void Training_is_the_same_to_the_bit_over_budgets_interleavings_and_threads(string name, int chunksPerRound, int rounds, int blocks)
    {
        var golden = new GoldenCase(name);
        var request = golden.Request(Recipe.Bf16, WorkloadKind.Training, pins: new GeometryPins(32, chunksPerRound, rounds, blocks));
        byte[] want = Train(golden, GoldenCase.Plan(request), null, 2);
        var tight = GoldenCase.Tight(request);
        Assert.Equal(want, Train(golden, tight, null, 1));
        Assert.Equal(want, Train(golden, tight, null, 3));
        for (int seed = 0; seed < 10; seed++)
        {
            Assert.Equal(want, Train(golden, tight, seed, 1));
        }
    }

    private static byte[] Train(GoldenCase golden, TrainingPlan plan, int? interleaving, int threads)
    {
        using Runtime.IDevice device = interleaving is { } seed
            ? new InterleavedCpuDevice(plan.Schedule, plan.Workload, threads, seed)
            : new CpuDevice(plan.Schedule, plan.Workload, threads);
        var trainer = golden.Trainer(plan, device);
        double loss = 0;
        for (int i = 0; i < 3; i++)
        {
            loss = trainer.Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW).Loss;
        }

        return Bits((loss, GoldenCase.Tensors(trainer.Weights)));
    }

    private static PlanRequest Request(GoldenCase golden, string dtype, int chunk, int chunksPerRound, int blocks) => golden.Request(
        Recipe.All.Single(r => r.Name == dtype), WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound, VocabularyBlocks: blocks));

    private static TrainingPlan Verified(TrainingPlan plan)
    {
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [plan.Budget.Device, plan.Budget.Host]));
        return plan;
    }

    private static void AssertExact(byte[] want, GoldenCase golden, TrainingPlan plan) => Assert.Equal(want, Bits(golden.Gradients(plan)));

    private static byte[] Bits((double Loss, Dictionary<string, float[]> Tensors) result) =>
        [.. BitConverter.GetBytes(result.Loss), .. result.Tensors.OrderBy(t => t.Key, StringComparer.Ordinal).SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes))];
}
