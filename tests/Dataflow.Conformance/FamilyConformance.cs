using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Models of other families as Hugging Face transformers saved them, and what it and PyTorch made of them in float64: those of
/// tests/golden-families, or, if DATAFLOW_FAMILIES names one, a folder with more of them.
/// </summary>
public abstract class FamilyConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Every family; on a slow device one of eight, and all of them in a soak run.</summary>
    public static TheoryData<string> Cases => Some(slow: 8, others: 1, first: 5);

    /// <summary>Those whose layers pass a state on; on a slow device one of six, and all of them in a soak run.</summary>
    public static TheoryData<string> CasesWithStates =>
        [.. GoldenCase.Families.Where(f => GoldenCase.OfFamily(f).Model.HasStates).Where((_, i) => IsSoak || !Device.IsSlow || i % 6 == 0)];

    /// <summary>Half of them, and on a slow device a single one; all of them in a soak run.</summary>
    public static TheoryData<string> RoundedCases => Some(slow: 40, others: 2, first: 5);

    /// <summary>The other half, likewise.</summary>
    public static TheoryData<string> SteppedCases => Some(slow: 40, others: 2, first: 16);

    /// <summary>Where memory is short windows are streamed and much is recomputed; chunks of 32 cut the rows.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_in_fp32_are_those_of_transformers(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        CheckGradients(golden, Plans(golden, Recipe.Fp32, WorkloadKind.Gradients));
    }

    /// <summary>Where layers pass a state on, in chunks of other sizes: short ones, and the whole row.</summary>
    [Theory]
    [MemberData(nameof(CasesWithStates))]
    public void States_pass_through_chunks_of_other_sizes(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        foreach (int tokens in new[] { 16, golden.Seqlen })
        {
            CheckGradients(golden, Plans(golden, Recipe.Fp32, WorkloadKind.Gradients, tokens));
        }
    }

    private static void CheckGradients(GoldenCase golden, IEnumerable<TrainingPlan> plans)
    {
        byte[]? bits = null;
        foreach (var plan in plans)
        {
            var result = Gradients(golden, Verified(plan));
            Assert.Equal(0, (result.Loss - golden.Loss) / golden.Loss, 1e-6);
            foreach (var (tensor, want) in golden.File("gradients.safetensors"))
            {
                double error = GoldenCase.RelativeL2(result.Tensors[GoldenCase.Alone(tensor)], want);
                double bound = Math.Max(1e-5, 3 * golden.PyTorchError("pytorch_float32", "gradient_relative_l2", tensor));
                Assert.True(error <= bound || want.All(v => v == 0), $"{tensor}: relative error {error:g3}, bound {bound:g3}");
            }

            // What a gradient is does not depend on the budget.
            bits ??= Bits(result);
            Assert.Equal(bits, Bits(result));
        }
    }

    /// <summary>bf16 storage against float64, with PyTorch's own bfloat16 error as the yardstick.</summary>
    [Theory]
    [MemberData(nameof(RoundedCases))]
    public void Gradients_in_bf16_err_at_most_twice_as_much_as_those_of_PyTorch_in_bf16(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var plan = Plans(golden, Recipe.Bf16, WorkloadKind.Gradients).Last();
        var got = Gradients(golden, Verified(plan));
        CheckFamilyBf16(golden, got, Nearest(golden, got.Tensors));
    }

    /// <summary>
    /// Where PyTorch's yardstick is that of the best of ten seeds, so is ours: each puts the values of every tensor in another order.
    /// </summary>
    [Fact]
    public void The_best_of_ten_seeds_errs_in_bf16_at_most_twice_as_much_as_that_of_PyTorch()
    {
        foreach (var golden in GoldenCase.BestOfSeedsInBf16.Where(_ => !Device.IsSlow || IsSoak).Select(GoldenCase.OfFamily))
        {
            var (exact, rounded) = (GradientsOf(golden, Recipe.Fp32), GradientsOf(golden, Recipe.Bf16));
            var (worst, most) = golden.PyTorchErrors("pytorch_bfloat16", "gradient_relative_l2");
            var errors = Enumerable.Range(1, 10).Select(seed =>
            {
                var (want, got) = (exact(seed), rounded(seed));
                return (Worst: want.Keys.Max(t => GoldenCase.RelativeL2(got[t], want[t])), All: GoldenCase.Together(got, want));
            }).ToList();
            Assert.True(
                errors.Exists(e => e.Worst <= 2 * worst && e.All <= 2 * most),
                $"{golden.Name}: relative errors {string.Join(", ", errors)}, PyTorch's {worst:g3} and {most:g3}");
        }
    }

    /// <summary>Of the case's weights with the values of each tensor in the order that a seed makes.</summary>
    private static Func<int, Dictionary<string, float[]>> GradientsOf(GoldenCase golden, Recipe recipe)
    {
        var plan = Plans(golden, recipe, WorkloadKind.Gradients).Last();
        return seed =>
        {
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            var trainer = golden.Trainer(plan, device);
            var weights = GoldenCase.Tensors(trainer.Weights);
            var random = new Random(seed);
            foreach (float[] values in weights.Values)
            {
                random.Shuffle(values);
            }

            trainer.Load(new NamedWeights(golden.Model, NamedWeights.InMemory(golden.Model, weights)));
            trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW);
            var trained = GoldenCase.Tensors(trainer.Gradients).Where(t => Array.Exists(t.Value, v => v != 0));
            return trained.ToDictionary(t => t.Key, t => t.Value);
        };
    }

    /// <summary>Losses before each of five steps, and how far every weight moved.</summary>
    [Theory]
    [MemberData(nameof(SteppedCases))]
    public void Five_steps_are_those_of_transformers(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var plan = Plans(golden, Recipe.Fp32, WorkloadKind.Training).Last();
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = golden.Trainer(plan, device);
        var start = GoldenCase.Tensors(trainer.Weights);
        foreach (double want in golden.Losses)
        {
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            Assert.Equal(0, (loss - want) / want, 1e-5);
        }

        var trained = GoldenCase.Tensors(trainer.Weights);
        var gradients = golden.File("gradients.safetensors");
        foreach (var (tensor, want) in golden.File("trained.safetensors"))
        {
            string alone = GoldenCase.Alone(tensor);
            if (Array.TrueForAll(gradients[tensor], g => g == 0))
            {
                // Of an expert that no token chose: the optimizer only decays it, and each step rounds once.
                Assert.All(trained[alone].Zip(want), w => Assert.Equal(w.Second, w.First, Math.Abs(w.Second) * 5 * 6e-8));
                continue;
            }

            double error = GoldenCase.RelativeChange(trained[alone], want, start[alone], gradients[tensor]);
            double bound = Math.Max(1e-4, 3 * golden.PyTorchError("pytorch_float32", "adamw_change_relative_l2", tensor));
            Assert.True(error <= bound, $"{tensor}: the change is off by {error:g3}, bound {bound:g3}");
        }
    }

    private static TheoryData<string> Some(int slow, int others, int first)
    {
        int one = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 1 : Device.IsSlow ? slow : others;
        return [.. GoldenCase.Families.Where((_, i) => i % one == first % one)];
    }

    private static IEnumerable<TrainingPlan> Plans(GoldenCase golden, Recipe recipe, WorkloadKind kind, int chunk = 32)
    {
        var request = golden.Request(recipe, kind, pins: new GeometryPins(chunk));
        if (!Device.IsSlow)
        {
            yield return GoldenCase.Plan(request);
        }

        yield return GoldenCase.Tight(request);
    }
}
