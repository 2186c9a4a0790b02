using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Attention by cuDNN on a device that has it: PyTorch's gradients within the bounds of our own kernels, and the same bits whatever the
/// budget, the save set, the segments of a window and the order.
/// </summary>
public abstract class AttentionConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Skips every test where there is no cuDNN.</summary>
    protected AttentionConformance() => Assert.SkipWhen(Device.Cudnn is null, "there is no cuDNN for this device");

    private static readonly SaveSet[] s_saveSets =
    [
        SaveSet.Kv | SaveSet.Attention,
        SaveSet.All,
        SaveSet.None,
        SaveSet.Kv | SaveSet.Attention | SaveSet.Query | SaveSet.Residual,
    ];

    /// <summary>Models whose attention differs, and tokens of a chunk: two to a row, or one for two rows.</summary>
    public static TheoryData<string, int> Variants =>
        [.. Sample(from name in AttentionVariants.Names from chunk in new[] { 128, 512 } select (name, chunk))];

    /// <summary>Golden cases and tokens of a chunk.</summary>
    public static TheoryData<string, int> Cases =>
        [.. Sample<(string, int)>([("llama-hd64", 384), ("llama-hd64", 64), ("qwen3-hd128", 320), ("qwen3-hd128", 160)])];

    /// <summary>
    /// Every family whose layers have heads of one width, and not those of latent attention, whose heads follow from more than a width; on
    /// a slow device one of eight, and all of them in a soak run.
    /// </summary>
    public static TheoryData<string> Families =>
        [
            .. GoldenCase.Families
                .Where(f => GoldenCase.OfFamily(f).Model is { Latent: null } model && model.Kinds.All(k => k.Heads is null))
                .Where((_, i) => IsSoak || !Device.IsSlow || i % 8 == 5),
        ];

    /// <summary>
    /// Families have narrow heads, which cuDNN is not for: their heads are widened by zeros, so that PyTorch's gradients are those of the
    /// wide model. Bits do not depend on the budget.
    /// </summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Families_with_wide_heads_err_at_most_twice_as_much_as_PyTorch_in_bf16(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var wide = new WidenedHeads(golden.Model);
        using var checkpoint = Checkpoint.Open(golden.Folder);
        var weights = wide.Weights(checkpoint.WeightsOf(golden.Model));
        var request = golden.Request(Recipe.Bf16, WorkloadKind.Gradients, pins: new GeometryPins(golden.Seqlen)) with
        {
            Model = wide.Model,
            Attention = new AttentionByCudnn(Device.Cudnn!.Value, Pinned: true),
        };
        (double Loss, Dictionary<string, float[]> Tensors) Run(TrainingPlan plan, int order)
        {
            using var device = Device.Open(Verified(plan).Schedule, plan.Workload, order);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device);
            trainer.Load(weights);
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            return (loss, GoldenCase.Tensors(trainer.Gradients));
        }

        var tight = GoldenCase.Tight(request);
        Assert.Equal(Enum.GetValues<CudnnPass>(), Calls(tight).Select(c => c.Own.Call.Pass).Distinct().Order());
        if (Enumerable.Range(0, golden.Rows).Any(r => golden.Tokens().Documents(r)?.Count > 1))
        {
            Assert.Contains("plan with --attention own", Assert.Throws<UserErrorException>(() => Run(tight, 0)).Message);
            return;
        }

        var got = Run(tight, 0);
        AssertSame(Bits(got), Bits(Run(GoldenCase.Plan(request), 5)), "another budget");
        var narrowed = wide.Narrowed(got.Tensors, out float others);
        var want = Nearest(golden, narrowed);
        if (!wide.IsExact)
        {
            var exact = Run(GoldenCase.Tight(request with { Recipe = Recipe.Fp32, Attention = null }), 0);
            var narrow = wide.Narrowed(exact.Tensors, out _);
            want = (exact.Loss, want.Tensors.Keys.ToDictionary(k => k, k => narrow[GoldenCase.Alone(k)]));
        }

        CheckFamilyBf16(golden, (got.Loss, narrowed), want);
        Assert.True(others == 0 || !wide.IsExact, $"zeros have gradients of up to {others}");
    }

    /// <summary>Whole rows, several in a chunk or one; parts of rows, whose backward is our own where they fill no block of 128.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_in_bf16_err_at_most_twice_as_much_as_those_of_PyTorch_in_bf16(string name, int chunk)
    {
        var golden = new GoldenCase(name);
        var plan = GoldenCase.Tight(golden.Request(Recipe.Bf16, WorkloadKind.Gradients, pins: new GeometryPins(chunk)) with
        {
            Attention = new AttentionByCudnn(Device.Cudnn!.Value, Pinned: true),
        });
        Assert.Contains(Calls(plan), c => c.Own.Call.Pass == CudnnPass.Forward);
        Assert.Equal(chunk is 384 or 320, Calls(plan).Any(c => c.Own.Call.Pass == CudnnPass.Backward));
        CheckBf16(golden, plan);
    }

    /// <summary>Against our own kernels: each is one rounding of many away from fp32.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void Gradients_are_those_of_our_own_kernels_but_for_rounding(string name, int chunk)
    {
        var request = AttentionVariants.Request(name, chunk, Device.Cudnn);
        var plan = Verified(GoldenCase.Plan(request));
        Assert.NotEmpty(Calls(plan));
        var got = AttentionVariants.Gradients(plan, Device.Open(plan.Schedule, plan.Workload, 0));
        var own = GoldenCase.Plan(request with { Attention = null });
        Assert.Empty(Calls(own));
        var want = AttentionVariants.Gradients(own, Device.Open(own.Schedule, own.Workload, 0));
        Assert.Equal(want.Loss, got.Loss, 2e-3 * want.Loss);
        foreach (var (tensor, values) in want.Tensors)
        {
            double error = GoldenCase.RelativeL2(got.Tensors[tensor], values);
            Assert.True(error <= 2e-2, $"{tensor}: {error:g3} away from our own kernels");
        }
    }

    /// <summary>Budgets, save sets and orders, and a window that is held in segments.</summary>
    [Theory]
    [InlineData("grouped", 128)]
    [InlineData("capped", 512)]
    public void Budgets_save_sets_segments_and_orders_do_not_change_a_bit(string name, int chunk)
    {
        var request = AttentionVariants.Request(name, chunk, Device.Cudnn);
        var roomy = GoldenCase.Plan(request);
        byte[] want = Bits(AttentionVariants.Gradients(roomy, Device.Open(roomy.Schedule, roomy.Workload, 0)));
        var segments = new HashSet<int>();
        int order = 0;
        foreach (var saved in Some(s_saveSets, 2, name, chunk))
        {
            var one = request with { SaveSet = saved };
            foreach (var plan in (TrainingPlan[])[GoldenCase.Tight(one), GoldenCase.Plan(one)])
            {
                segments.UnionWith(Verified(plan).Schedule.Ops.Select(o => o.Segment?.Count ?? 1));
                var got = AttentionVariants.Gradients(plan, Device.Open(plan.Schedule, plan.Workload, ++order));
                AssertSame(want, Bits(got), $"{saved}, order {order}");
            }
        }

        Assert.Equal(chunk == 128, segments.Max() > 1);
    }

    private static IEnumerable<CudnnCalls> Calls(TrainingPlan plan)
    {
        var programs = new BlockPrograms(plan.Workload.Model, plan.Workload.Recipe, plan.Workload.Geometry);
        return plan.Schedule.Ops
            .Select(op => OpPrograms.Of(op, programs, plan.Workload.Geometry))
            .OfType<BlockProgram>()
            .Distinct()
            .SelectMany(p => p.Calls)
            .Select(c => c switch
            {
                AttentionForwardCall a => a.Cudnn,
                AttentionSegmentForwardCall a => a.Cudnn,
                AttentionBackwardCall a => a.Cudnn,
                AttentionSegmentBackwardCall a => a.Cudnn,
                _ => null,
            })
            .OfType<CudnnCalls>();
    }
}
