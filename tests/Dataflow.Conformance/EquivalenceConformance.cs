using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Conformance;

/// <summary>
/// Law 8: for a fixed geometry, results are the same bits whatever the budgets, save sets and orders, and whenever they are asked for.
/// </summary>
public abstract class EquivalenceConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly SaveSet[] s_saveSets =
    [
        SaveSet.None,
        SaveSet.Kv,
        SaveSet.Kv | SaveSet.Attention,
        SaveSet.Attention,
        SaveSet.Kv | SaveSet.Attention | SaveSet.Query | SaveSet.Residual,
        SaveSet.Attention | SaveSet.Query | SaveSet.Residual,
        SaveSet.All,
        SaveSet.All & ~SaveSet.Kv,
        SaveSet.Kv | SaveSet.GateUp,
        SaveSet.Query,
        SaveSet.Residual,
    ];

    private static readonly (string Name, string Dtype, int Chunk, int ChunksPerRound, int Blocks)[] s_geometries =
    [
        ("llama-small", "fp32", 32, 2, 1),
        ("llama-small", "bf16", 64, 2, 1),
        ("qwen3-small", "fp32", 32, 3, 1),
        ("qwen3-small", "bf16", 96, 1, 1),
        ("llama-documents", "fp32", 64, 2, 1),
        ("llama-long", "fp32", 256, 4, 1),
        ("qwen3-hd128", "fp32", 64, 5, 1),
        ("llama-hd64", "bf16", 48, 4, 1),
        ("llama-small", "bf16", 32, 2, 2),
        ("llama-small", "fp32", 64, 3, 3),
        ("qwen3-small", "bf16", 32, 3, 2),
        ("qwen3-small", "fp32", 96, 1, 3),
        ("qwen3-hd128", "bf16", 160, 2, 1),
    ];

    /// <summary>Case, dtype, tokens of a chunk, chunks of a round, blocks of the vocabulary.</summary>
    public static TheoryData<string, string, int, int, int> Geometries => [.. Sample(s_geometries.Where(g => Affords(g.Name)))];

    /// <summary>Case, tokens of a chunk, chunks of a round, blocks of the vocabulary.</summary>
    public static TheoryData<string, int, int, int> Interleaved
    {
        get
        {
            (string Name, int, int, int)[] all =
            [
                ("llama-long", 128, 8, 1),
                ("llama-documents", 64, 2, 1),
                ("qwen3-small", 32, 3, 1),
                ("qwen3-small", 32, 3, 3),
                ("llama-small", 32, 2, 2),
            ];
            return [.. all.Where(c => Affords(c.Name))];
        }
    }

    /// <summary>Tight and roomy plans of many save sets, and budgets between the least and the most that is of use.</summary>
    [Theory]
    [MemberData(nameof(Geometries))]
    public void Budgets_and_save_sets_do_not_change_a_bit(string name, string dtype, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        var request = Request(golden, dtype, chunk, chunksPerRound, blocks);
        var roomy = GoldenCase.Plan(request);
        byte[] want = Bits(Gradients(golden, roomy));
        int order = 0;
        (SaveSet Saved, bool Tight)[] all = [.. s_saveSets.SelectMany(s => new[] { (s, true), (s, false) })];
        foreach (var (saved, tight) in Some(all, 1, name, chunk + blocks))
        {
            var one = request with { SaveSet = saved };
            AssertSame(
                want,
                Bits(Gradients(golden, Verified(tight ? GoldenCase.Tight(one) : GoldenCase.Plan(one)), Order())),
                $"{(tight ? "the least budget" : "much memory")} with {saved}"
            );
        }

        var (least, _) = Planner.Smallest(request);
        foreach (int i in Some([0, 1, 2, 3, 4, 5], 1, name, chunk + blocks))
        {
            var budget = request.Budget with
            {
                Device = new Bytes(least!.Value.Value + ((roomy.DevicePeak.Value - least.Value.Value) * i / 5)),
            };
            AssertSame(
                want,
                Bits(Gradients(golden, Verified(GoldenCase.Plan(request with { Budget = budget })), Order())),
                $"a budget of {budget.Device}"
            );
        }

        // A slow device has no time for orders apart from budgets.
        int Order() => Device.IsSlow ? ++order : 0;
    }

    /// <summary>A device made anew, and one that goes on: the same weights, the same rows.</summary>
    [Theory]
    [InlineData("llama-small", "fp32", 64)]
    [InlineData("llama-hd64", "bf16", 64)]
    [InlineData("qwen3-hd128", "bf16", 160)]
    public void A_repeat_gives_the_same_bits(string name, string dtype, int chunk)
    {
        var golden = new GoldenCase(name);
        var plan = GoldenCase.Tight(golden.Request(Named(dtype), WorkloadKind.Gradients, pins: new GeometryPins(chunk)));
        byte[] want = Bits(Gradients(golden, plan));
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        for (int i = 0; i < 2; i++)
        {
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            AssertSame(want, Bits((loss, GoldenCase.Tensors(trainer.Gradients))), "running it again");
        }
    }

    /// <summary>Orders that only a schedule's waits keep right.</summary>
    [Theory]
    [MemberData(nameof(Interleaved))]
    public void Fifty_orders_do_not_change_a_bit(string name, int chunk, int chunksPerRound, int blocks)
    {
        var golden = new GoldenCase(name);
        var plan = GoldenCase.Tight(Request(golden, "fp32", chunk, chunksPerRound, blocks));
        byte[] want = Bits(Gradients(golden, plan));
        foreach (int order in Some([.. Enumerable.Range(1, 50)], 1, name, chunk + blocks))
        {
            AssertSame(want, Bits(Gradients(golden, plan, order)), $"order {order}");
        }
    }

    /// <summary>What one step leaves behind is what the next one starts from.</summary>
    [Theory]
    [InlineData("llama-small", "bf16", 2, 3, 1)]
    [InlineData("llama-small", "bf16", 2, 3, 3)]
    [InlineData("qwen3-small", "bf16", 3, 2, 2)]
    [InlineData("qwen3-small", "bf16", 6, 1, 3)]
    [InlineData("llama-small", "bf16-sr", 2, 3, 3)]
    [InlineData("qwen3-small", "bf16-sr", 3, 2, 1)]
    [InlineData("llama-small", "bf16-master", 2, 3, 1)]
    [InlineData("qwen3-small", "bf16-master", 6, 1, 2)]
    public void Training_is_the_same_to_the_bit_over_budgets_and_orders(
        string name,
        string dtype,
        int chunksPerRound,
        int rounds,
        int blocks
    )
    {
        var golden = new GoldenCase(name);
        var request = golden.Request(Named(dtype), WorkloadKind.Training, pins: new GeometryPins(32, chunksPerRound, rounds, blocks));
        byte[] want = Train(golden, GoldenCase.Plan(request), 0);
        var tight = GoldenCase.Tight(request);
        foreach (int order in Some([.. Enumerable.Range(1, 12)], 1, name, blocks))
        {
            AssertSame(want, Train(golden, tight, order), $"the least budget and order {order}");
        }
    }

    private static byte[] Train(GoldenCase golden, TrainingPlan plan, int order)
    {
        using var device = Device.Open(plan.Schedule, plan.Workload, order);
        var trainer = golden.Trainer(plan, device);
        double loss = 0;
        for (int i = 0; i < 3; i++)
        {
            loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        }

        return Bits((loss, GoldenCase.Tensors(trainer.Weights)));
    }

    private static PlanRequest Request(GoldenCase golden, string dtype, int chunk, int chunksPerRound, int blocks) => golden.Request(
        Named(dtype), WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound, VocabularyBlocks: blocks));
}
