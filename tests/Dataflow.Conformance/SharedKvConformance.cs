using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Layers that attend to the keys and values of others: the same bits in any memory and with anything kept, and a cache of the sources'
/// keys and values alone continues what training computes. (That this is right, the oracle says.)
/// </summary>
public abstract class SharedKvConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly SaveSet[] s_saveSets =
    [
        SaveSet.None,
        SaveSet.Attention,
        SaveSet.Kv,
        SaveSet.All & ~SaveSet.Kv,
        SaveSet.Kv | SaveSet.Attention | SaveSet.Query,
        SaveSet.All,
    ];

    private static readonly (string Name, string Dtype, int Chunks, int Rounds, string? Frozen)[] s_cases =
    [
        ("llama-small", "fp32", 2, 1, null),
        ("qwen3-small", "bf16", 4, 1, null),
        ("llama-documents", "fp32", 3, 1, null),
        ("qwen3-small", "fp32", 1, 2, null),
        ("llama-documents", "bf16-sr", 2, 1, "model.embed*|model.layers.[0-2].*"),
        ("llama-small", "bf16-master", 1, 1, null),
    ];

    /// <summary>Case, recipe, chunks of a row, rounds, what is frozen.</summary>
    public static TheoryData<string, string, int, int, string?> Cases => [.. Sample(s_cases)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Memory_and_what_is_kept_change_no_bit(string name, string dtype, int chunks, int rounds, string? frozen)
    {
        var golden = new GoldenCase(name);
        var model = Model(golden).Freezing(frozen is null ? [] : [frozen]);
        var weights = Weights(golden, model, Named(dtype));
        MemoryChangesNoBit(golden, model, weights, Named(dtype), (chunks, rounds), s_saveSets);
    }

    /// <summary>In one pass and token by token, within roomy and the smallest budgets: the loss of a row, of which logits say it.</summary>
    [Fact]
    public void A_cache_of_the_sources_continues_what_training_computes()
    {
        var golden = new GoldenCase("qwen3-small");
        var model = Model(golden);
        var weights = Weights(golden, model, Recipe.Fp32);
        const int count = 24;
        int[] row = golden.Row(0)[..(count + 1)];
        var whole = new PlanRequest(
            model, Recipe.Fp32, WorkloadKind.Gradients, count, 1, new GeometryPins(count), GoldenCase.Roomy);
        double loss = Evaluated(GoldenCase.Plan(whole), weights, row);
        var request = new PlanRequest(model, Recipe.Fp32, WorkloadKind.Generation, 16, Rows: null, new GeometryPins(16), GoldenCase.Roomy)
        {
            Cache = new CacheRequest(1, count, count),
        };
        foreach (var plan in (TrainingPlan[])[GoldenCase.Plan(request), GoldenCase.Tight(request)])
        {
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, model));
            using var device = Device.Open(plan.Schedule, plan.Workload, 1);
            var cached = new CachedModel(plan.Workload, plan.Schedule, device);
            cached.Load(weights);
            var sequence = cached.Open(count)!;
            foreach (int at in new[] { count, 1 })
            {
                double sum = 0;
                sequence.Rewind(0);
                for (int first = 0; first < count; first += at)
                {
                    int begin = first, seen = 0;
                    cached.Continue(
                        [new Continuation(sequence, row.AsMemory(first, at), at)],
                        (_, _, logits) => sum += NegativeLog(logits, row[begin + ++seen]));
                }

                Assert.Equal(loss, sum / count, 1e-5 * loss);
            }
        }
    }

    /// <summary>Layers 1 to 3 have the keys and values of layer 1, one of them with a window of its own; 5 has those of 4.</summary>
    private static ModelConfig Model(GoldenCase golden)
    {
        var own = new LayerKind(golden.Model.FfnDim);
        var shares = own with { SharesKv = true };
        return golden.Model with
        {
            LayerCount = 6,
            Pattern = new LayerPattern(own, own with { Window = 40 }, shares, shares with { Window = 9, FfnApart = true }, own, shares),
        };
    }

    /// <summary>The case's, its layers over and over.</summary>
    private static NamedWeights Weights(GoldenCase golden, ModelConfig model, Recipe recipe)
    {
        var file = golden.File("model.safetensors");
        var tensors = NamedParameter.All(model).ToDictionary(p => p.Name, p =>
        {
            string name = p.Layer is { } l
                ? p.Name.Replace($".{l.Index}.", $".{l.Index % golden.Model.LayerCount}.", StringComparison.Ordinal)
                : p.Name;
            return Array.ConvertAll(file[name], v => recipe.Parameters == DType.BFloat16 ? Exact(v) : v);
        });
        return new NamedWeights(model, tensors);
    }

    private static float Exact(float value) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000);

    private static double Evaluated(TrainingPlan plan, NamedWeights weights, int[] row)
    {
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        return trainer.Step(new OneRow(row), [0], new OptimizerSettings()).Loss;
    }

    private static double NegativeLog(ReadOnlySpan<float> logits, int id)
    {
        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp((double)logit - logits[id]);
        }

        return Math.Log(sum);
    }

    private sealed class OneRow(int[] tokens) : ITokenSource
    {
        public int RowCount => 1;

        public int RowLength => tokens.Length;

        public void Read(int row, Span<int> destination) => tokens.CopyTo(destination);

        public IReadOnlyList<int>? Documents(int row) => null;
    }
}
