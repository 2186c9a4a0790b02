using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Layers that take rows of a table of their own besides the stream, where that table and the embedding are cut in blocks of rows: the
/// results of the whole, and the same bits in any memory. (That the whole is right, the golden cases of Gemma 4 say.)
/// </summary>
public abstract class LayerInputsConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly SaveSet[] s_saveSets = [SaveSet.None, SaveSet.Kv | SaveSet.Attention, SaveSet.All];

    private static readonly (string Name, string Dtype, int Chunks, int Rounds, int Blocks)[] s_cases =
    [
        ("qwen3-small", "bf16", 2, 1, 3),
        ("llama-small", "fp32", 1, 2, 2),
        ("llama-documents", "bf16-sr", 2, 1, 3),
        ("qwen3-small", "fp32", 4, 2, 2),
    ];

    /// <summary>Case, recipe, chunks of a row, rounds, blocks.</summary>
    public static TheoryData<string, string, int, int, int> Cases => [.. Sample(s_cases)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Memory_and_what_is_kept_change_no_bit(string name, string dtype, int chunks, int rounds, int blocks)
    {
        var golden = new GoldenCase(name);
        var model = Model(golden);
        MemoryChangesNoBit(golden, model, Weights(golden, model, Named(dtype)), Named(dtype), (chunks, rounds), s_saveSets, blocks);
    }

    /// <summary>Loss, gradients, and what two steps make of weights and moments, but for the order of the head's sums.</summary>
    [Theory]
    [InlineData("qwen3-small", 1)]
    [InlineData("llama-small", 2)]
    public void Blocks_give_what_the_whole_tables_give(string name, int rounds)
    {
        var golden = new GoldenCase(name);
        var model = Model(golden);
        var weights = Weights(golden, model, Recipe.Fp32);
        foreach (var kind in new[] { WorkloadKind.Gradients, WorkloadKind.Training })
        {
            var whole = Results(golden, model, weights, kind, rounds, blocks: 1);
            var cut = Results(golden, model, weights, kind, rounds, blocks: 3);
            foreach (var (tensor, values) in whole)
            {
                double error = GoldenCase.RelativeL2(cut[tensor], values);
                Assert.True(error <= (kind == WorkloadKind.Gradients ? 2e-6 : 1e-4), $"{kind} {tensor}: {error:g3}");
            }
        }
    }

    private static Dictionary<string, float[]> Results(
        GoldenCase golden,
        ModelConfig model,
        NamedWeights weights,
        WorkloadKind kind,
        int rounds,
        int blocks
    )
    {
        var pins = new GeometryPins(golden.Seqlen / 2, Rounds: rounds, VocabularyBlocks: blocks);
        var plan = Verified(GoldenCase.Tight(golden.Request(Recipe.Fp32, kind, pins: pins) with { Model = model }));
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        if (kind == WorkloadKind.Gradients)
        {
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            return new(GoldenCase.Tensors(trainer.Gradients)) { ["loss"] = [(float)loss] };
        }

        for (int step = 0; step < 2; step++)
        {
            trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW);
        }

        var named = trainer.OptimizerState.Select((state, i) => (Name: $"moment {i} of ", Tensors: GoldenCase.Tensors(state)))
            .Append((Name: "", Tensors: GoldenCase.Tensors(trainer.Weights)));
        return named.SelectMany(s => s.Tensors, (s, t) => (Name: s.Name + t.Key, t.Value)).ToDictionary(t => t.Name, t => t.Value);
    }

    private static ModelConfig Model(GoldenCase golden) => golden.Model with { LayerInputDim = 6 };

    /// <summary>The case's, and of what it does not have numbers that are the same every time.</summary>
    private static NamedWeights Weights(GoldenCase golden, ModelConfig model, Recipe recipe)
    {
        var file = golden.File("model.safetensors");
        var random = new Random(6);
        var tensors = WeightNames.Enumerate(model).ToDictionary(b => b.Name, b =>
        {
            bool isNorm = b.Shape.Count == 1;
            float[] values = file.TryGetValue(b.Name, out float[]? stored)
                ? stored
                : [.. Enumerable.Range(0, (int)b.ElementCount).Select(_ => (isNorm ? 1 : 0) + (0.3f * (random.NextSingle() - 0.5f)))];
            return Array.ConvertAll(values, v => recipe.Parameters == DType.BFloat16 ? Exact(v) : v);
        });
        return new NamedWeights(model, tensors);
    }

    private static float Exact(float value) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000);
}
