using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Losses of pairs against PyTorch in float64, over tests/golden-dpo: log-probabilities, rewards, gradients and five AdamW steps; the same
/// bits in any memory; adapters; and masked examples, padded or packed.
/// </summary>
public abstract class PreferenceConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly string[] s_shapes = ["roomy", "tight", "chunks of 16", "one row a round"];

    /// <summary>Losses and shapes of a plan.</summary>
    public static TheoryData<string, string> Cases =>
        [.. PreferenceCase.Names.SelectMany((n, i) => Some(s_shapes, 1, n, i).Select(s => (n, s)))];

    /// <summary>Recipes and losses.</summary>
    public static TheoryData<string, string> Memories =>
        [.. Sample<(string, string)>([("fp32", "ipo"), ("bf16", "sigmoid"), ("fp32", "sigmoid-and-nll"), ("bf16-sr", "robust")])];

    /// <summary>The loss of each pair, log-probabilities, rewards, margin and accuracy, and all gradients.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_are_those_of_PyTorch(string name, string shape)
    {
        var golden = new PreferenceCase(name);
        var plan = Shaped(golden, WorkloadKind.Gradients, shape);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        var report = trainer.Step(golden.PairRows(golden.Reference), golden.AllRows, golden.AdamW);
        Assert.Equal(0, (report.Loss - golden.Loss) / golden.Loss, 1e-5);
        var found = report.Preferences!.Value;
        Assert.Equal(6, found.Pairs);
        Assert.Equal(report.Loss, found.Loss, 1e-12);
        Assert.Equal(golden.Rewards.Average(r => r.Chosen), found.RewardChosen, 1e-6);
        Assert.Equal(golden.Rewards.Average(r => r.Rejected), found.RewardRejected, 1e-6);
        Assert.Equal(golden.Margins[0], found.Margin, 1e-6);
        Assert.Equal(golden.Accuracy, found.Accuracy);
        Assert.Equal(golden.Policy.Average(p => p.Chosen), found.LogChosen, 1e-4);
        Assert.Equal(golden.Policy.Average(p => p.Rejected), found.LogRejected, 1e-4);
        var got = GoldenCase.Tensors(trainer.Gradients);
        foreach (var (tensor, want) in golden.File("gradients.safetensors"))
        {
            double error = GoldenCase.RelativeL2(got[tensor], want);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }

    /// <summary>Losses and margins before each step and after the last, and how far every weight moved.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Five_steps_are_those_of_PyTorch(string name, string shape)
    {
        var golden = new PreferenceCase(name);
        var plan = Shaped(golden, WorkloadKind.Training, shape);
        var evaluation = Planner.Evaluation(plan);
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        var trainer = golden.Trainer(plan, device, new Executor(evaluation, beside));
        var rows = golden.PairRows(golden.Reference);
        foreach (var (loss, margin) in golden.Losses.Zip(golden.Margins))
        {
            var report = trainer.Step(rows, golden.AllRows, golden.AdamW);
            Assert.Equal(0, (report.Loss - loss) / loss, 1e-5);
            Assert.Equal(margin, report.Preferences!.Value.Margin, 1e-5);
        }

        var last = trainer.EvaluatePairs(rows, () => false)!.Value;
        Assert.Equal(0, (last.Loss - golden.LastLoss) / golden.LastLoss, 1e-5);
        Assert.Equal(golden.Margins[^1], last.Margin, 1e-5);
        var (start, trained, gradients) = (golden.Start, GoldenCase.Tensors(trainer.Weights), golden.File("gradients.safetensors"));
        foreach (var (tensor, want) in golden.File("trained.safetensors"))
        {
            double error = GoldenCase.RelativeChange(trained[tensor], want, start[tensor], gradients[tensor]);
            double bound = Math.Max(1e-4, 3 * golden.PyTorchError("pytorch_float32", "adamw_change_relative_l2", tensor));
            Assert.True(error <= bound, $"{tensor}: the change is off by {error:g3}, bound {bound:g3}");
        }
    }

    /// <summary>The reference's log-probabilities by a step that only goes forward, and the loss of each pair of the policy.</summary>
    [Fact]
    public void Evaluation_has_the_log_probabilities_of_each_pair()
    {
        var golden = new PreferenceCase("sigmoid-norm");
        var plan = Shaped(golden, WorkloadKind.Training, "one row a round");
        var evaluation = Planner.Evaluation(plan);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        using var beside = device.For(evaluation, plan.Workload with { Kind = WorkloadKind.Evaluation });
        var executor = new Executor(evaluation, beside);
        var reference = Evaluated(golden.Trainer(plan, device, executor, "reference"), golden.PairRows(null));
        var policy = Evaluated(golden.Trainer(plan, device, executor), golden.PairRows([.. reference.Select(p => p.Policy)]));
        for (int p = 0; p < policy.Count; p++)
        {
            Near(golden.Reference[p], reference[p].Policy, 1e-4);
            Near(golden.Policy[p], policy[p].Policy, 1e-4);
            Assert.Equal(golden.LossOfEach[p], policy[p].Loss, 1e-5);
        }

        static List<PairResult> Evaluated(Trainer trainer, ITokenSource rows)
        {
            var all = new List<PairResult>();
            trainer.EvaluatePairs(rows, () => false, all.Add);
            return all;
        }

        static void Near((double A, double B) want, (double A, double B) got, double bound)
        {
            Assert.Equal(want.A, got.A, bound);
            Assert.Equal(want.B, got.B, bound);
        }
    }

    /// <summary>Two clipped or unclipped steps are the same bits in any memory, whatever is saved and in whichever order ops run.</summary>
    [Theory]
    [MemberData(nameof(Memories))]
    public void Memory_does_not_change_a_bit(string recipe, string name)
    {
        var golden = new PreferenceCase(name);
        foreach (var kind in new[] { WorkloadKind.Training, WorkloadKind.ClippedTraining })
        {
            byte[]? want = null;
            foreach (SaveSet? saved in new SaveSet?[] { null, SaveSet.None, SaveSet.Kv | SaveSet.Attention }.Take(Device.IsSlow ? 2 : 3))
            {
                foreach (bool tight in new[] { false, true })
                {
                    var request = golden.Request(Named(recipe), kind, new GeometryPins(16, 4)) with { SaveSet = saved };
                    var plan = Verified(tight ? GoldenCase.Tight(request) : GoldenCase.Plan(request));
                    using var device = Device.Open(plan.Schedule, plan.Workload, tight ? 1 : 2);
                    var trainer = golden.Trainer(plan, device);
                    double losses = 0;
                    for (int step = 0; step < 2; step++)
                    {
                        losses = (2 * losses)
                            + trainer.Step(golden.PairRows(golden.Reference), golden.AllRows, golden.AdamW, 0.1f).Loss;
                    }

                    AssertSame(want ??= Bits((losses, GoldenCase.Tensors(trainer.Weights))),
                        Bits((losses, GoldenCase.Tensors(trainer.Weights))), $"{kind} in {plan.Residency}");
                }
            }
        }
    }

    /// <summary>
    /// Where B of an adapter is 0, the model is its base: the gradient of B is that of the matrix times A transposed and the scale, and
    /// that of A is 0. So its log-probabilities are those of the base, which is the reference of an adapter.
    /// </summary>
    [Fact]
    public void Adapters_have_the_gradients_that_follow_from_those_of_the_matrices()
    {
        const int Rank = 3;
        const double Scale = 2;
        var golden = new PreferenceCase("sigmoid");
        var model = golden.Model.Adapting(
            new AdapterConfig { Rank = Rank, Alpha = Rank * Scale, Targets = ModuleNames.List(["q_proj", "down_proj"]) });
        var plan = Verified(
            GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, new GeometryPins(16)) with { Model = model }));
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        using var checkpoint = Checkpoint.Open(Path.Combine(PreferenceCase.Root, "policy"));
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, preference: golden.Preference);
        trainer.Load(AdaptedWeights.Begin(checkpoint.WeightsOf(model), 5));
        double loss = trainer.Step(golden.PairRows(golden.Reference), golden.AllRows, golden.AdamW).Loss;
        Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-5);
        var (weights, got) = (GoldenCase.Tensors(trainer.Weights), GoldenCase.Tensors(trainer.Gradients));
        var whole = golden.File("gradients.safetensors");
        string[] factors = [.. got.Keys.Where(k => k.EndsWith(".lora_B.weight", StringComparison.Ordinal))];
        Assert.Equal(4, factors.Length);
        foreach (string b in factors)
        {
            string module = b["base_model.model.".Length..^".lora_B.weight".Length];
            string a = b.Replace("lora_B", "lora_A", StringComparison.Ordinal);
            float[] want = TimesTransposed(whole[module + ".weight"], weights[a], Rank, Scale);
            double error = GoldenCase.RelativeL2(got[b], want);
            Assert.True(error <= 1e-5, $"{b}: relative error {error:g3}");
            Assert.All(got[a], g => Assert.Equal(0, g));
        }
    }

    private static float[] TimesTransposed(float[] gradient, float[] a, int rank, double scale)
    {
        int columns = a.Length / rank, rows = gradient.Length / columns;
        var product = new float[rows * rank];
        for (int i = 0; i < product.Length; i++)
        {
            var (row, k) = Math.DivRem(i, rank);
            double sum = Enumerable.Range(0, columns).Sum(j => (double)gradient[(row * columns) + j] * a[(k * columns) + j]);
            product[i] = (float)(scale * sum);
        }

        return product;
    }

    /// <summary>The mean over all counted targets, whichever rows the examples are in.</summary>
    [Theory]
    [InlineData(24, new[] { 1, 1, 1, 1, 1 })]
    [InlineData(44, new[] { 3, 2 })]
    public void Masked_examples_padded_or_packed_are_those_of_PyTorch(int seqlen, int[] examplesOfRows)
    {
        var golden = new MaskedCase(seqlen, examplesOfRows);
        foreach (int? chunk in new int?[] { null, seqlen / 2 })
        {
            var request = golden.Request(chunk);
            var plan = Verified(GoldenCase.Tight(request));
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            using var checkpoint = Checkpoint.Open(Path.Combine(PreferenceCase.Root, "policy"));
            var trainer = new Trainer(plan.Workload, plan.Schedule, device);
            trainer.Load(checkpoint.WeightsOf(plan.Workload.Model));
            double loss = trainer.Step(golden, golden.AllRows, new OptimizerSettings(1e-3f, 0.9f, 0.999f, 1e-8f, 0)).Loss;
            Assert.Equal(0, (loss - golden.Loss) / golden.Loss, 1e-5);
            var got = GoldenCase.Tensors(trainer.Gradients);
            foreach (var (tensor, want) in golden.File("gradients.safetensors"))
            {
                Assert.True(GoldenCase.RelativeL2(got[tensor], want) <= 1e-5, tensor);
            }
        }
    }

    private static TrainingPlan Shaped(PreferenceCase golden, WorkloadKind kind, string shape)
    {
        var pins = shape switch
        {
            "chunks of 16" => new GeometryPins(16),
            "one row a round" => new GeometryPins(golden.Seqlen, 1, golden.Rows),
            _ => null,
        };
        var request = golden.Request(Recipe.Fp32, kind, pins);
        return Verified(shape == "roomy" ? GoldenCase.Plan(request) : GoldenCase.Tight(request));
    }

    /// <summary>tests/golden-dpo/sft-masks, whose examples have id 0 as a token like others: its row is trained, too.</summary>
    private sealed class MaskedCase : PyTorchCase, ITokenSource
    {
        private readonly int[] examplesOfRows;
        private readonly (int[] Ids, byte[] Counted)[] examples;

        public MaskedCase(int seqlen, int[] examplesOfRows)
            : base(
                Path.Combine(PreferenceCase.Root, "sft-masks"),
                _ => ModelFiles.LoadConfig(Path.Combine(PreferenceCase.Root, "policy")) with { PaddingId = null },
                (seqlen, examplesOfRows.Length)
            )
        {
            this.examplesOfRows = examplesOfRows;
            var all = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(Folder, "examples.json"))).RootElement;
            examples =
            [
                .. all.EnumerateArray()
                    .Select(e =>
                        (
                            e.GetProperty("tokens").EnumerateArray().Select(i => i.GetInt32()).ToArray(),
                            e.GetProperty("counted").EnumerateArray().Select(i => i.GetByte()).ToArray()
                        )
                    ),
            ];
        }

        public int RowCount => Rows;

        public int RowLength => Seqlen + 1;

        public PlanRequest Request(int? chunk) =>
            new(Model, Recipe.Fp32, WorkloadKind.Gradients, Seqlen, Rows, new GeometryPins(chunk), GoldenCase.Roomy, null);

        public int InputsOf(int row) => Documents(row).Sum();

        public void Read(int row, Span<int> destination)
        {
            destination.Clear();
            Of(row).SelectMany(e => e.Ids).ToArray().CopyTo(destination);
        }

        public IReadOnlyList<int> Documents(int row) => [.. Of(row).Select(e => e.Ids.Length)];

        public bool ReadMask(int row, Span<byte> counts)
        {
            counts.Clear();
            Of(row).SelectMany(e => e.Counted).Skip(1).ToArray().CopyTo(counts);
            return true;
        }

        private IEnumerable<(int[] Ids, byte[] Counted)> Of(int row) =>
            examples.Skip(examplesOfRows.Take(row).Sum()).Take(examplesOfRows[row]);
    }
}
