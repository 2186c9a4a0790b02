using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Frozen layers whose matrices are stored in a type of their own: training has the bits of the same model in the recipe's type whose
/// frozen matrices have the values that the stored ones stand for.
/// </summary>
public abstract class FrozenTypeConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const int Steps = 3;

    /// <summary>Type of what is frozen, recipe, case, whether the feed-forward is apart, chunks of the step.</summary>
    public static TheoryData<DType, string, string, bool, int> Cases =>
        [
            .. from type in DTypes.OfFrozen
               from one in Sample<(string, string, bool, int)>(
                   [("fp32", "llama-small", false, 2), ("fp32", "qwen3-small", true, 3), ("bf16", "llama-small", false, 1)])
               select (type, one.Item1, one.Item2, one.Item3, one.Item4),
        ];

    /// <summary>Roomy with all kept, and in the least memory with nothing kept, where forwards are recomputed.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Losses_are_those_of_a_model_with_the_same_values_in_the_recipes_type(
        DType type,
        string recipe,
        string name,
        bool apart,
        int chunks
    )
    {
        var golden = new GoldenCase(name);
        PlanRequest Request(DType? stored, SaveSet saved)
        {
            var frozen = new LayerKind(golden.Model.FfnDim, FfnApart: apart, Frozen: true, FrozenType: stored);
            var model = golden.Model with { Pattern = new LayerPattern(frozen, new LayerKind(golden.Model.FfnDim)) };
            var pins = new GeometryPins(golden.Seqlen * golden.Rows / chunks);
            return golden.Request(Named(recipe), WorkloadKind.ClippedTraining, pins: pins, saved: saved) with { Model = model };
        }

        var plain = Verified(GoldenCase.Plan(Request(null, SaveSet.All)));
        using var checkpoint = Checkpoint.Open(golden.Folder);
        byte[]? want = null;
        (SaveSet Saved, bool Tight)[] all = [(SaveSet.All, false), (SaveSet.None, true), (SaveSet.Kv | SaveSet.Attention, true)];
        foreach (var (saved, tight) in all)
        {
            var request = Request(type, saved);
            var plan = Verified(tight ? GoldenCase.Tight(request) : GoldenCase.Plan(request));
            using var device = Device.Open(plan.Schedule, plan.Workload, 1);
            var trainer = Trainer(plan, device, checkpoint.WeightsOf(request.Model));
            if (want is null)
            {
                var values = Rounded(trainer.Weights, request.Recipe);
                using var beside = Device.Open(plain.Schedule, plain.Workload, 0);
                var dense = Trainer(plain, beside, new NamedWeights(plain.Workload.Model, values));
                want = Trained(golden, dense, request.Recipe);
            }

            AssertSame(want, Trained(golden, trainer, request.Recipe), $"storing frozen layers in {type.Name()} with {saved} kept");
        }
    }

    private static Trainer Trainer(TrainingPlan plan, IDevice device, IWeightSource weights)
    {
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        return trainer;
    }

    /// <summary>What products multiply by.</summary>
    private static Dictionary<string, float[]> Rounded(IWeightSource weights, Recipe recipe)
    {
        var tensors = GoldenCase.Tensors(weights);
        foreach (float[] values in tensors.Values.Where(_ => recipe.Parameters == DType.BFloat16))
        {
            for (int i = 0; i < values.Length; i++)
            {
                // To nearest even.
                uint bits = BitConverter.SingleToUInt32Bits(values[i]);
                values[i] = BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
            }
        }

        return tensors;
    }

    private static byte[] Trained(GoldenCase golden, Trainer trainer, Recipe recipe)
    {
        ImmutableArray<double> losses =
        [
            .. Enumerable.Range(0, Steps).Select(_ => trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 1).Loss),
        ];
        Assert.True(losses[^1] < losses[0], $"losses {string.Join(", ", losses)}");
        return [.. losses.SelectMany(BitConverter.GetBytes), .. Bits((0, Rounded(trainer.Weights, recipe)))];
    }
}
