using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>What the suites have in common: a device, and results of steps on it.</summary>
public abstract class ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    // Choices that are no more than these are all taken.
    private const int MostOfAll = 6;

    /// <summary>Skips every test, with the reason, where there is no such device.</summary>
    protected ConformanceSuite() => Assert.SkipWhen(Device.Lack is not null, Device.Lack ?? "");

    /// <summary>What is under test.</summary>
    protected static TDevice Device { get; } = new();

    /// <summary>The long rows, which a slow device does not go through again and again.</summary>
    protected static bool Affords(string name) => !Device.IsSlow || name != "llama-long";

    /// <summary>Everything is run, whatever time it takes.</summary>
    protected static bool IsSoak { get; } = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";

    /// <summary>All rows; on a slow device one of three, and all of them in a soak run.</summary>
    protected static IEnumerable<T> Sample<T>(IEnumerable<T> rows) => rows.Where((_, i) => !Device.IsSlow || IsSoak || i % 3 == 0);

    /// <summary>
    /// All choices in a soak run or where they are few; of many the half, and on a slow device that many of them, evenly spread, and others
    /// for another case.
    /// </summary>
    protected static ImmutableArray<T> Some<T>(IReadOnlyList<T> choices, int count, string name, int number)
    {
        int wanted = IsSoak ? choices.Count : Device.IsSlow ? count : Math.Max(MostOfAll, choices.Count / 2);
        return wanted >= choices.Count
            ? [.. choices]
            :
            [
                .. Enumerable
                    .Range(0, wanted)
                    .Select(i => choices[(name.Sum(c => c) + number + (i * choices.Count / wanted)) % choices.Count]),
            ];
    }

    /// <summary>The recipe of that name.</summary>
    protected static Recipe Named(string recipe) => Recipe.All.Single(r => r.Name == recipe);

    /// <summary>The plan, of which the verifier has nothing to say.</summary>
    protected static TrainingPlan Verified(TrainingPlan plan)
    {
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets));
        return plan;
    }

    /// <summary>Loss and gradients of one step, under the checkpoint's names.</summary>
    protected static (double Loss, Dictionary<string, float[]> Tensors) Gradients(GoldenCase golden, TrainingPlan plan, int order = 0)
    {
        using var device = Device.Open(plan.Schedule, plan.Workload, order);
        var trainer = golden.Trainer(plan, device);
        var report = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW);
        return (report.Loss, GoldenCase.Tensors(trainer.Gradients));
    }

    /// <summary>Gradients in bf16 err at most twice as much as PyTorch's own in bfloat16.</summary>
    protected static void CheckBf16(GoldenCase golden, TrainingPlan plan)
    {
        var (_, gradients) = Gradients(golden, Verified(plan));
        var want = golden.File("gradients.safetensors");
        foreach (var (tensor, values) in want)
        {
            double error = GoldenCase.RelativeL2(gradients[tensor], values);
            double bound = 2 * golden.PyTorchError("pytorch_bfloat16", "gradient_relative_l2", tensor);
            Assert.True(error <= bound, $"{tensor}: relative error {error:g3}, PyTorch's bound {bound:g3}");
        }

        float[] all = [.. want.Keys.SelectMany(k => gradients[k])], allWanted = [.. want.Values.SelectMany(v => v)];
        Assert.True(GoldenCase.RelativeL2(all, allWanted) < 2e-2);
        Assert.True(Cosine(all, allWanted) > 0.999);
    }

    /// <summary>The same of a family, of whose tensors none errs more than twice as much as PyTorch's worst.</summary>
    /// <param name="golden">With PyTorch's own errors.</param>
    /// <param name="got">In bf16.</param>
    /// <param name="want">The loss and the gradients under the checkpoint's names.</param>
    protected static void CheckFamilyBf16(
        GoldenCase golden,
        (double Loss, Dictionary<string, float[]> Tensors) got,
        (double Loss, Dictionary<string, float[]> Tensors) want
    )
    {
        double lossBound = Math.Max(1e-3, 2 * golden.PyTorchLossError("pytorch_bfloat16"));
        Assert.True(Math.Abs((got.Loss - want.Loss) / want.Loss) <= lossBound, $"loss {got.Loss}, not {want.Loss}");
        var errors = want.Tensors.ToDictionary(t => t.Key, t => GoldenCase.RelativeL2(got.Tensors[GoldenCase.Alone(t.Key)], t.Value));
        var (worst, most) = golden.PyTorchErrors("pytorch_bfloat16", "gradient_relative_l2");
        if (GoldenCase.BestOfSeedsInBf16.Contains(golden.Name))
        {
            (worst, most) = (GoldenCase.BestOfSeedsError, 2 * most);
        }

        var own = errors.Where(e => double.IsFinite(e.Value)).MaxBy(e => e.Value);
        Assert.True(own.Value <= 2 * worst, $"{own.Key}: relative error {own.Value:g3}, PyTorch's worst {worst:g3}");
        double together = GoldenCase.Together(got.Tensors, want.Tensors);
        Assert.True(together <= 2 * most, $"all together: relative error {together:g3}, PyTorch's {most:g3}");
    }

    /// <summary>Of what bf16 may be held against, that to which gradients are nearest.</summary>
    protected static (double Loss, Dictionary<string, float[]> Tensors) Nearest(GoldenCase golden, Dictionary<string, float[]> got) =>
        References(golden).MinBy(r => GoldenCase.Together(got, r.Tensors));

    /// <summary>
    /// What bf16 may be held against: the truth, and, where bf16 may send tokens elsewhere than float64, gradients in
    /// fp32 of weights by which some of these go there and all others stay where they are.
    /// </summary>
    private static IEnumerable<(double Loss, Dictionary<string, float[]> Tensors)> References(GoldenCase golden)
    {
        yield return (golden.Loss, golden.File("gradients.safetensors"));
        foreach (var nudges in golden.Nudges)
        {
            var plan = GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(32)));
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            var trainer = golden.Trainer(plan, device);
            var weights = GoldenCase.Tensors(trainer.Weights);
            foreach (var (tensor, element, by) in nudges)
            {
                weights[tensor][element] += by;
            }

            trainer.Load(new NamedWeights(golden.Model, NamedWeights.InMemory(golden.Model, weights)));
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            yield return (loss, GoldenCase.Tensors(trainer.Gradients));
        }
    }

    private static double Cosine(float[] a, float[] b)
    {
        double ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }

        return ab / Math.Sqrt(aa * bb);
    }

    /// <summary>
    /// Two clipped steps have the same bits in roomy and the smallest memory, whatever is kept and in another order of ops.
    /// </summary>
    /// <param name="golden">Whose tokens.</param>
    /// <param name="model">What is trained.</param>
    /// <param name="weights">What it begins with.</param>
    /// <param name="recipe">How numbers are stored.</param>
    /// <param name="cut">Chunks of a row, and rounds.</param>
    /// <param name="saveSets">What is kept, one after the other; a slow device takes some.</param>
    /// <param name="blocks">Of the vocabulary's rows.</param>
    protected static void MemoryChangesNoBit(
        GoldenCase golden,
        ModelConfig model,
        IWeightSource weights,
        Recipe recipe,
        (int Chunks, int Rounds) cut,
        SaveSet[] saveSets,
        int blocks = 1
    )
    {
        int chunk = (golden.Seqlen + cut.Chunks - 1) / cut.Chunks;
        var pins = new GeometryPins(chunk, Rounds: cut.Rounds, VocabularyBlocks: blocks);
        var request = golden.Request(recipe, WorkloadKind.ClippedTraining, pins: pins) with { Model = model };
        var roomy = GoldenCase.Plan(request);
        var g = roomy.Workload.Geometry;
        request = request with { Pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens) };
        byte[]? want = null;
        foreach (
            var plan in (TrainingPlan[])
            [
                roomy,
                .. Some(saveSets, Device.IsSlow ? 2 : saveSets.Length, Path.GetFileName(golden.Folder), cut.Chunks)
                    .Select(s => GoldenCase.Tight(request with { SaveSet = s })),
                .. saveSets[..(Device.IsSlow ? 1 : saveSets.Length)].Select(s => GoldenCase.Plan(request with { SaveSet = s })),
            ]
        )
        {
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, model));
            using var device = Device.Open(plan.Schedule, plan.Workload, want is null ? 0 : 3);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device);
            trainer.Load(weights);
            double loss = 0;
            for (int step = 0; step < 2; step++)
            {
                loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 0.1f).Loss;
            }

            var (state, trained) = (trainer.OptimizerState, GoldenCase.Tensors(trainer.Weights));
            byte[] got = [.. state.SelectMany(s => Bits((0, GoldenCase.Tensors(s)))), .. Bits((loss, trained))];
            AssertSame(want ??= got, got, plan.Residency.ToString());
        }
    }

    /// <summary>Every bit of a loss and of tensors.</summary>
    protected static byte[] Bits((double Loss, Dictionary<string, float[]> Tensors) result) =>
        [
            .. BitConverter.GetBytes(result.Loss),
            .. result.Tensors.OrderBy(t => t.Key, StringComparer.Ordinal).SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes)),
        ];

    /// <summary>Fails, with what made the difference, where bits differ.</summary>
    protected static void AssertSame(byte[] want, byte[] got, string made) =>
        Assert.True(want.AsSpan().SequenceEqual(got), $"{made} changes the result");
}
