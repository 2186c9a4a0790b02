using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Layers that pass a state from chunk to chunk, between layers that attend: the same bits in any memory and with anything kept, and the
/// same numbers however rows are cut into chunks. (That a row cut in two is right, golden cases say.)
/// </summary>
public abstract class StateConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly Recurrence s_stateSpace = new(KeyHeads: 2, Heads: 4, KeyDim: 5, ValueDim: 8, Taps: 3)
    {
        Rule = RecurrenceRule.StateSpace,
        HasConvolutionBias = true,
        HasProductBiases = true,
        MostStep = 1.5f,
    };

    private static readonly SaveSet[] s_saveSets =
    [
        SaveSet.None,
        SaveSet.Attention,
        SaveSet.Kv,
        SaveSet.All & ~SaveSet.Kv,
        SaveSet.Kv | SaveSet.Query,
        SaveSet.All,
    ];

    private static readonly (string Name, string Dtype, int Chunks, int Rounds, string? Frozen)[] s_cases =
    [
        ("llama-documents", "fp32", 4, 1, null),
        ("qwen3-small", "bf16", 2, 1, null),
        ("llama-small", "bf16-sr", 3, 1, "model.embed*|model.layers.0.*|model.layers.2.conv.conv.*|*.A_log|*.4.linear_attn.norm.*"),
        ("llama-documents", "bf16-master", 1, 2, null),
        ("qwen3-small", "fp32", 8, 1, "*.conv.in_proj.*|*.conv1d.*|*.dt_bias|*.in_proj_*"),
    ];

    /// <summary>Case, recipe, chunks of a row, rounds, what is frozen.</summary>
    public static TheoryData<string, string, int, int, string?> Cases => [.. Sample(s_cases)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Memory_and_what_is_kept_change_no_bit(string name, string dtype, int chunks, int rounds, string? frozen)
    {
        var golden = new GoldenCase(name);
        var model = Model(golden).Freezing(frozen is null ? [] : [frozen]);
        var weights = WeightInitialiser.Weights(model, 5);
        MemoryChangesNoBit(golden, model, weights, Named(dtype), (chunks, rounds), s_saveSets);
    }

    /// <summary>Rows of one document and of several, whose borders lie within chunks, at their edges and less than a state apart.</summary>
    [Theory]
    [InlineData("qwen3-small")]
    [InlineData("llama-documents")]
    public void Chunks_of_any_size_give_the_same_loss_and_gradients(string name)
    {
        var golden = new GoldenCase(name);
        var model = Model(golden);
        var weights = WeightInitialiser.Weights(model, 6);
        (double Loss, IReadOnlyDictionary<string, float[]> Gradients)? want = null;
        foreach (int tokens in Device.IsSlow ? (int[])[golden.Seqlen, 16] : [golden.Seqlen, 64, 32, 16, 5, 2])
        {
            var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(tokens)) with { Model = model };
            var plan = GoldenCase.Tight(request);
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device);
            trainer.Load(weights);
            double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            var gradients = GoldenCase.Tensors(trainer.Gradients);
            want ??= (loss, gradients);
            Assert.Equal(0, (loss - want.Value.Loss) / want.Value.Loss, 1e-6);
            foreach (var (tensor, values) in want.Value.Gradients)
            {
                double error = GoldenCase.RelativeL2(gradients[tensor], values);
                Assert.True(error <= 1e-5, $"chunks of {tokens}, {tensor}: relative error {error:g3}");
            }
        }
    }

    /// <summary>
    /// Convolutions and recurrences of several sizes, some of them apart from their feed-forward, around layers that attend, whose output
    /// is gated where queries and keys are normed; layers of one sublayer, and one whose norms stand behind its own.
    /// </summary>
    private static ModelConfig Model(GoldenCase golden)
    {
        var attends = new LayerKind(golden.Model.FfnDim);
        return golden.Model with
        {
            LayerCount = 10,
            AttentionGate = golden.Model.QkNorm,
            Pattern = new LayerPattern(
                attends with { ConvolutionTaps = 3 },
                attends,
                attends with { ConvolutionTaps = 5, FfnApart = true },
                attends with { Window = 9 },
                attends with { Recurrence = new Recurrence(KeyHeads: 2, Heads: 4, KeyDim: 6, ValueDim: 5, Taps: 4) },
                attends with { Recurrence = new Recurrence(KeyHeads: 1, Heads: 1, KeyDim: 12, ValueDim: 20, Taps: 2), FfnApart = true },
                attends with { Recurrence = s_stateSpace },
                attends with { Sublayers = Sublayers.Mixer, FfnDim = 0, Recurrence = s_stateSpace },
                attends with { Sublayers = Sublayers.FeedForward },
                attends with { Placement = NormPlacement.After }
            ),
        };
    }
}
