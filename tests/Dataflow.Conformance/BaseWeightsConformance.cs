using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Adapters on a base whose matrices are stored in a type of their own: training has the bits of the same base in the recipe's type with
/// the numbers that the stored ones stand for, and the same bits in any memory.
/// </summary>
public abstract class BaseWeightsConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const int Steps = 2;

    private static readonly AdapterConfig s_adapter = new() { Rank = 3, Alpha = 5, Targets = ModuleNames.AllLinear };

    /// <summary>A matrix of several tensors, fused ones, windows and norms of heads, states, rows that are no whole blocks.</summary>
    public static TheoryData<string, DType, string> Cases =>
        [
            .. Sample<(string, DType, string)>(
                [
                    ("phi3-longrope-long", DType.Nf4Nested, "fp32"),
                    ("llama-small", DType.Nf4, "fp32"),
                    ("qwen3-small", DType.Nf4, "bf16"),
                    ("gemma3-wrapped", DType.Nf4, "bf16-sr"),
                    ("phi3-longrope-long", DType.Nf4, "bf16-sr"),
                    ("gemma3-old", DType.Int8, "bf16-master"),
                    ("qwen3-small", DType.Nf4Nested, "bf16-master"),
                    ("gemma3-wrapped", DType.Nf4Nested, "fp32"),
                    ("llama-kv1-odd", DType.Nf4Nested, "fp32"),
                    ("llama-small", DType.Int8, "fp32"),
                    ("gpt2", DType.Nf4, "fp32"),
                    ("llama-small", DType.BFloat16, "fp32"),
                    ("olmo-hybrid", DType.Nf4, "fp32"),
                    ("lfm2", DType.Nf4Nested, "bf16"),
                ]
            ),
        ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Losses_and_gradients_have_the_bits_of_a_base_with_the_same_numbers_in_the_recipes_type(
        string name,
        DType type,
        string recipe
    )
    {
        var golden = Case(name);
        using var checkpoint = Checkpoint.Open(golden.Folder);
        var (stored, weights) = Adapted(golden, checkpoint, type);
        var plain = golden.Model.Adapting(s_adapter);

        // Stochastic rounding is numbered by objects, of which a stored base makes one more.
        var rounded = Named(recipe) == Recipe.Bf16Stochastic ? Recipe.Bf16 : Named(recipe);
        var request = golden.Request(rounded, WorkloadKind.ClippedTraining, pins: new GeometryPins((golden.Seqlen + 1) / 2));
        var whole = GoldenCase.Plan(request with { Model = plain });
        var g = whole.Workload.Geometry;
        request = request with
        {
            Model = stored,
            Pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens),
        };
        byte[] want = Trained(golden, whole, new SameNumbers(plain, weights));
        AssertSame(want, Trained(golden, GoldenCase.Plan(request), weights), $"storing the base in {type.Name()}");
        AssertSame(want, Trained(golden, GoldenCase.Tight(request with { SaveSet = SaveSet.None }), weights), "the same in little memory");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Memory_save_sets_and_orders_do_not_change_a_bit(string name, DType type, string recipe)
    {
        var golden = Case(name);
        using var checkpoint = Checkpoint.Open(golden.Folder);
        var (model, weights) = Adapted(golden, checkpoint, type);
        SaveSet[] sets =
        [
            SaveSet.None,
            SaveSet.All,
            SaveSet.Kv,
            SaveSet.Kv | SaveSet.Attention,
            SaveSet.Attention | SaveSet.Query,
            SaveSet.Kv | SaveSet.Attention | SaveSet.Query,
        ];
        MemoryChangesNoBit(golden, model, weights, Named(recipe), (2, 1), sets);
    }

    private static GoldenCase Case(string name) => GoldenCase.Names.Contains(name) ? new GoldenCase(name) : GoldenCase.OfFamily(name);

    private static (ModelConfig Model, IWeightSource Weights) Adapted(GoldenCase golden, Checkpoint checkpoint, DType type)
    {
        var model = golden.Model.Adapting(s_adapter).Storing(type);
        return (model, AdaptedWeights.Begin(new QuantizedWeights(checkpoint.WeightsOf(model)), seed: 7));
    }

    private static byte[] Trained(GoldenCase golden, TrainingPlan plan, IWeightSource weights)
    {
        using var device = Device.Open(Verified(plan).Schedule, plan.Workload, 1);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        double loss = 0;
        for (int step = 0; step < Steps; step++)
        {
            loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 0.1f).Loss;
        }

        var adapter = NamedParameter.All(plan.Workload.Model).Where(p => p.Spec.IsTrained).Select(p => p.Name).ToHashSet();
        return
        [
            .. trainer
                .OptimizerState.Append(trainer.Weights)
                .SelectMany(s => Bits((loss, GoldenCase.Tensors(s).Where(t => adapter.Contains(t.Key)).ToDictionary()))),
        ];
    }

    /// <summary>The numbers of a model for one whose parameters lie in another order.</summary>
    private sealed class SameNumbers(ModelConfig model, IWeightSource other) : IWeightSource
    {
        public ModelConfig Model => model;

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
        {
            destination.Clear();
            int size = (int)type.Size();
            var theirs = weights.Layout(other.Model);
            foreach (var tensor in weights.Layout(model).Tensors)
            {
                long begin = Math.Max(firstElement, tensor.ElementOffset);
                long end = Math.Min(firstElement + (destination.Length / size), tensor.ElementOffset + tensor.Count);
                if (begin < end)
                {
                    var into = destination.Slice((int)(begin - firstElement) * size, (int)(end - begin) * size);
                    other.Read(weights, theirs[tensor.Name].ElementOffset + begin - tensor.ElementOffset, into, type);
                }
            }
        }
    }
}
