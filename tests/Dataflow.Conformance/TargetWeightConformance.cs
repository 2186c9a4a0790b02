using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Weights of targets: 0 and 1 are a mask, a divisor is a divisor, budgets change nothing. That the mathematics is right is held by random
/// cases of the oracle.
/// </summary>
public abstract class TargetWeightConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const int Steps = 2;

    /// <summary>Case, recipe, blocks of the vocabulary.</summary>
    public static TheoryData<string, string, int> Cases =>
        [
            .. Sample<(string, string, int)>(
                [
                    ("llama-small", "fp32", 3),
                    ("qwen3-small", "fp32", 1),
                    ("llama-documents", "bf16", 1),
                    ("qwen3-small", "bf16-sr", 3),
                    ("llama-small", "bf16-master", 1),
                ]
            ),
        ];

    /// <summary>Losses, and the weights after some steps.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Weights_of_0_and_1_are_a_mask_to_the_bit(string name, string recipe, int blocks)
    {
        static float Half(int row, int target) => ((row * 7) + target) % 3 == 0 ? 0 : 1;
        var golden = new GoldenCase(name);
        byte[] mask = Trained(golden, Request(golden, recipe, blocks, false), new WeightedRows(golden.Tokens(), Half, asMask: true));
        byte[] weights = Trained(golden, Request(golden, recipe, blocks, true), new WeightedRows(golden.Tokens(), Half));
        AssertSame(mask, weights, "a weight in place of a mask");

        // So do a plan with weights and rows without.
        byte[] without = Trained(golden, Request(golden, recipe, blocks, true), new WeightedRows(golden.Tokens(), Half, asMask: true));
        AssertSame(mask, without, "room for weights that no target has");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Budgets_do_not_change_a_bit(string name, string recipe, int blocks)
    {
        var golden = new GoldenCase(name);
        var rows = new WeightedRows(golden.Tokens(), Signed) { Divisor = weights => Math.Abs(weights) + 3 };
        var request = Request(golden, recipe, blocks, true);
        byte[] roomy = Trained(golden, request, rows, roomy: true);
        AssertSame(roomy, Trained(golden, request, rows, order: 1), "the least budget");
        AssertSame(roomy, Trained(golden, request with { SaveSet = SaveSet.None }, rows, order: 2), "recomputation");
    }

    /// <summary>Powers of 2 scale without rounding: weights of all targets, and the divisor.</summary>
    [Theory]
    [InlineData("llama-small", 1)]
    [InlineData("qwen3-small", 3)]
    public void A_factor_of_all_weights_is_that_of_loss_and_gradients(string name, int blocks)
    {
        var golden = new GoldenCase(name);
        var plan = GoldenCase.Plan(
            golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(32, VocabularyBlocks: blocks)) with
            {
                TargetWeights = true,
            }
        );
        var one = GradientsOf(golden, plan, new WeightedRows(golden.Tokens(), Signed));
        var scaled = GradientsOf(golden, plan, new WeightedRows(golden.Tokens(), (r, t) => -8 * Signed(r, t)));
        var divided = GradientsOf(
            golden,
            plan,
            new WeightedRows(golden.Tokens(), (r, t) => -8 * Signed(r, t)) { Divisor = _ => 8.0 * one.Counted }
        );
        Assert.Equal(-8 * one.Loss, scaled.Loss, 1e-6 * Math.Abs(one.Loss));
        Assert.Equal(-one.Loss, divided.Loss, 1e-7 * Math.Abs(one.Loss));
        foreach (var (tensor, values) in one.Tensors)
        {
            Assert.True(GoldenCase.RelativeL2([.. scaled.Tensors[tensor].Select(x => x / -8)], values) <= 1e-6, tensor);
            Assert.True(GoldenCase.RelativeL2([.. divided.Tensors[tensor].Select(x => -x)], values) <= 1e-6, tensor);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_weight_that_is_no_finite_number_is_refused(float weight)
    {
        var golden = new GoldenCase("llama-small");
        string why = Refusal(golden, new WeightedRows(golden.Tokens(), (row, target) => row == 1 && target == 5 ? weight : 1));
        Assert.Equal(FormattableString.Invariant($"the weight of target 5 of row 1 is {weight}; give a finite number"), why);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(1e-50)]
    public void A_divisor_that_is_no_positive_number_is_refused(double divisor)
    {
        var golden = new GoldenCase("llama-small");
        string why = Refusal(golden, new WeightedRows(golden.Tokens(), Signed) { Divisor = _ => divisor });
        Assert.StartsWith("the loss of a step would be divided by ", why, StringComparison.Ordinal);
        Assert.EndsWith("give a positive number", why, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_were_not_planned_are_refused()
    {
        var golden = new GoldenCase("llama-small");
        var rows = new WeightedRows(golden.Tokens(), Signed);
        Assert.Throws<InvalidOperationException>(() => Trained(golden, Request(golden, "fp32", 1, weighted: false), rows));
        Assert.Contains(
            "no target of this step counts",
            Refusal(golden, new WeightedRows(golden.Tokens(), (_, _) => 0)),
            StringComparison.Ordinal
        );
    }

    // Of either sign, some 0.
    private static float Signed(int row, int target) => (((row * 5) + target) % 7 - 2) * 0.375f;

    private static string Refusal(GoldenCase golden, ITokenSource rows) =>
        Assert.Throws<UserErrorException>(() => Trained(golden, Request(golden, "fp32", 1, weighted: true), rows)).Message;

    private static PlanRequest Request(GoldenCase golden, string recipe, int blocks, bool weighted) =>
        golden.Request(Named(recipe), WorkloadKind.Training, pins: new GeometryPins(32, VocabularyBlocks: blocks)) with
        {
            TargetWeights = weighted,
        };

    private static byte[] Trained(GoldenCase golden, PlanRequest request, ITokenSource rows, bool roomy = false, int order = 0)
    {
        var plan = Verified(roomy ? GoldenCase.Plan(request) : GoldenCase.Tight(request));
        using var device = Device.Open(plan.Schedule, plan.Workload, order);
        var trainer = golden.Trainer(plan, device);
        double losses = 0;
        for (int step = 0; step < Steps; step++)
        {
            losses = (2 * losses) + trainer.Step(rows, golden.AllRows, golden.AdamW).Loss;
        }

        return Bits((losses, GoldenCase.Tensors(trainer.Weights)));
    }

    private static (double Loss, int Counted, Dictionary<string, float[]> Tensors) GradientsOf(
        GoldenCase golden,
        TrainingPlan plan,
        ITokenSource rows
    )
    {
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        var report = trainer.Step(rows, golden.AllRows, golden.AdamW);
        return (report.Loss, report.CountedTargets, GoldenCase.Tensors(trainer.Gradients));
    }
}
