using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Conformance;

/// <summary>Windows that are streamed by segment: the bits of whole windows, whatever the segments, save sets, slots and orders.</summary>
public abstract class SegmentConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly SaveSet[] s_saveSets =
    [
        SaveSet.Kv | SaveSet.Attention, SaveSet.Kv | SaveSet.Attention | SaveSet.Query | SaveSet.Residual, SaveSet.All,
        SaveSet.Kv | SaveSet.Attention | SaveSet.GateUp, SaveSet.Kv | SaveSet.Attention | SaveSet.Query,
    ];

    // Of a residency with as few slots as one op needs, or two of each.
    private static readonly (int Segments, SaveSet Saved, Tier Tier)[] s_streams =
    [
        .. from segments in new[] { 2, 3, 4 }
           from saved in s_saveSets
           from tier in new[] { Tier.Bare, Tier.Doubled }
           select (segments, saved, tier),
    ];

    /// <summary>Chunks of a window: 8, 5 (2 rounds), 8 of documents that cross chunk borders, 8 that rows do not divide, 6.</summary>
    public static TheoryData<string, string, int, int> Cases
    {
        get
        {
            (string Name, string, int, int)[] all =
            [
                ("llama-long", "fp32", 128, 8),
                ("llama-long", "bf16", 205, 5),
                ("llama-documents", "fp32", 16, 8),
                ("llama-documents", "bf16", 16, 24),
                ("llama-documents", "fp32", 48, 8),
                ("llama-documents", "bf16", 48, 8),
                ("qwen3-small", "fp32", 16, 6),
                ("qwen3-small", "bf16", 16, 12),
            ];
            return [.. Sample(all.Where(c => Suits(c.Name, c.Item3, c.Item4, Named(c.Item2))))];
        }
    }

    /// <summary>Cases and tokens of a chunk, for fp32.</summary>
    public static TheoryData<string, int> GoldenCases
    {
        get
        {
            (string, int)[] all =
            [
                ("llama-long", 128),
                ("llama-long", 32),
                ("llama-documents", 16),
                ("llama-documents", 48),
                ("qwen3-small", 16),
            ];
            return [.. all.Where(c => Suits(c.Item1, c.Item2, null, Recipe.Fp32) || c.Item2 == 128)];
        }
    }

    /// <summary>Cases, tokens of a chunk, chunks of a round.</summary>
    public static TheoryData<string, int, int> Interleaved
    {
        get
        {
            (string Name, int, int)[] all =
            [
                ("llama-long", 128, 8),
                ("llama-documents", 16, 8),
                ("llama-documents", 48, 8),
                ("qwen3-small", 16, 6),
            ];
            return [.. all.Where(c => Suits(c.Name, c.Item2, c.Item3, Recipe.Fp32))];
        }
    }

    /// <summary>Cases, tokens of a chunk, and whether the step clips.</summary>
    public static TheoryData<string, int, bool> Trained
    {
        get
        {
            (string Name, int, bool)[] all = [("llama-long", 128, false), ("llama-documents", 16, true), ("qwen3-small", 16, false)];
            return [.. all.Where(c => Suits(c.Name, c.Item2, null, Recipe.Fp32))];
        }
    }

    /// <summary>Every number of segments with every save set that allows it.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Segments_do_not_change_a_bit(string name, string dtype, int chunk, int chunksPerRound)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Named(dtype), WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound)));
        byte[] want = Bits(Gradients(golden, whole));
        foreach (var (segments, saved, tier) in Some(Streams(whole.Workload), 2, name, chunk + chunksPerRound))
        {
            AssertSame(
                want,
                Bits(Gradients(golden, Verified(Streamed(whole.Workload, saved, tier, segments)))),
                $"{segments} segments, {tier}, {saved}"
            );
        }
    }

    /// <summary>Against PyTorch.</summary>
    [Theory]
    [MemberData(nameof(GoldenCases))]
    public void Gradients_agree_with_the_golden_files(string name, int chunk)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk)));
        var (loss, gradients) = Gradients(
            golden,
            Streamed(whole.Workload, s_saveSets[0], Tier.Bare, Streams(whole.Workload)[^1].Segments)
        );
        Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-6);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            double error = GoldenCase.RelativeL2(gradients[tensor], want);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }

    /// <summary>Orders that only a schedule's waits keep right.</summary>
    [Theory]
    [MemberData(nameof(Interleaved))]
    public void Thirty_orders_do_not_change_a_bit(string name, int chunk, int chunksPerRound)
    {
        var golden = new GoldenCase(name);
        var whole = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound)));
        byte[] want = Bits(Gradients(golden, whole));
        var streams = Streams(whole.Workload);
        foreach (int order in Some([.. Enumerable.Range(1, 30)], 1, name, chunk))
        {
            var (segments, saved, tier) = streams[order % streams.Length];
            AssertSame(
                want,
                Bits(Gradients(golden, Streamed(whole.Workload, saved, tier, segments), order)),
                $"order {order} of {segments} segments, {tier}, {saved}"
            );
        }
    }

    /// <summary>Training, with an evaluation between any two steps.</summary>
    [Theory]
    [MemberData(nameof(Trained))]
    public void Steps_and_the_evaluations_between_them_have_the_bits_of_whole_windows(string name, int chunk, bool clips)
    {
        var golden = new GoldenCase(name);
        var kind = clips ? WorkloadKind.ClippedTraining : WorkloadKind.Training;

        // In bf16 where the device's kernels can begin segments of that case's windows.
        var recipe = Suits(name, chunk, null, Recipe.Bf16) ? Recipe.Bf16 : Recipe.Fp32;
        var whole = GoldenCase.Plan(golden.Request(recipe, kind, pins: new GeometryPins(chunk)));
        byte[] want = Train(golden, whole, 0);
        (int Segments, Tier Tier, int Order)[] all =
        [
            (2, Tier.Bare, 0),
            (2, Tier.Bare, 7),
            (2, Tier.Doubled, 0),
            (2, Tier.Doubled, 7),
            (3, Tier.Doubled, 0),
            (3, Tier.Doubled, 7),
            (4, Tier.Bare, 0),
            (4, Tier.Bare, 7),
        ];
        foreach (var (segments, tier, order) in Some([.. all.Where(s => MayBegin(whole.Workload, s.Segments))], 1, name, chunk))
        {
            AssertSame(
                want,
                Train(golden, Streamed(whole.Workload, s_saveSets[segments - 2], tier, segments), order),
                $"order {order} of {segments} segments, {tier}"
            );
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
        if (!Device.IsSlow || IsSoak)
        {
            AssertSame(Bits(Gradients(golden, GoldenCase.Plan(request))), Bits(Gradients(golden, tight)), "the least budget");
        }
    }

    /// <summary>Whether a slow device has the time and a device's kernels can begin segments of that case's windows.</summary>
    private static bool Suits(string name, int chunk, int? chunksPerRound, Recipe recipe)
    {
        var golden = new GoldenCase(name);
        return Affords(name)
            && (
                Device.SegmentRows(recipe) == 1
                || !Streams(
                    GoldenCase.Plan(golden.Request(recipe, WorkloadKind.Gradients, pins: new GeometryPins(chunk, chunksPerRound))).Workload
                ).IsEmpty
            );
    }

    private static ImmutableArray<(int Segments, SaveSet Saved, Tier Tier)> Streams(Workload workload) =>
        [.. s_streams.Where(s => MayBegin(workload, s.Segments))];

    private static bool MayBegin(Workload workload, int segments) =>
        workload.Geometry.SegmentsUpTo(segments) is var count
        && (count == 1 || workload.Geometry.FirstRow(new Segment(1, count)) % Device.SegmentRows(workload.Recipe) == 0);

    private static byte[] Train(GoldenCase golden, TrainingPlan plan, int order)
    {
        var evaluation = Planner.Evaluation(plan);
        Assert.Empty(ScheduleVerifier.Verify(evaluation, plan.ArenaBudgets));
        using var device = Device.Open(plan.Schedule, plan.Workload, order);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        var trainer = golden.Trainer(plan, device, new Executor(evaluation, beside));
        double loss = 0;
        for (int i = 0; i < 2; i++)
        {
            double evaluated = trainer.Evaluate(golden.Tokens(), golden.AllRows);
            loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, clipNorm: 0.1f).Loss;
            Assert.Equal(evaluated, loss);
        }

        return Bits((loss, GoldenCase.Tensors(trainer.Weights)));
    }

    private static TrainingPlan Streamed(Workload workload, SaveSet saved, Tier tier, int segments)
    {
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        return Planner.PlanFor(
            workload,
            new ResidencyChain(new MemorySizes(workload, programs), saved, tier, workload.Geometry.SegmentsUpTo(segments))[0]
        );
    }
}
