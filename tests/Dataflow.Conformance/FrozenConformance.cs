using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Tensors that are frozen by patterns of their names: what is trained has the gradients of a step that trains everything, to the bit, and
/// moves alike in any memory; what is frozen has none and stays.
/// </summary>
public abstract class FrozenConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const string LowerLayer = "model.embed_tokens.*|model.layers.[0].*";
    private const string LowerLayers = "model.embed_tokens.*|model.layers.[0-1].*";

    private static readonly (string Name, string Dtype, string Frozen, int Blocks)[] s_cases =
    [
        ("llama-small", "fp32", "model.layers.[0].*", 1),
        ("llama-small", "bf16", LowerLayer, 1),
        ("llama-small", "fp32", LowerLayer, 2),
        ("llama-small", "fp32", LowerLayer + "|model.norm.*|lm_head.*", 1),
        ("llama-small", "bf16-sr", "model.norm.*|lm_head.*|*.[1].mlp.*", 3),
        ("llama-small", "fp32", LowerLayers, 1),
        ("llama-small", "bf16-master", LowerLayers, 2),
        ("llama-small", "fp32", "*layernorm*|*o_proj*", 1),
        ("llama-documents", "fp32", LowerLayer + "|*down_proj*", 1),
        ("qwen3-small", "fp32", "model.embed_tokens.*", 1),
        ("qwen3-small", "bf16", LowerLayer, 3),
        ("qwen3-small", "fp32", "*_norm.*", 1),
        ("qwen3-small", "bf16-sr", "model.layers.*", 1),
        ("llama-long", "fp32", LowerLayers, 1),
        ("llama-long", "fp32", "model.layers.[0-1].*|model.embed*", 2),
    ];

    /// <summary>Case, dtype, what is frozen, blocks of the vocabulary.</summary>
    public static TheoryData<string, string, string, int> Cases => [.. Sample(s_cases.Where(c => Affords(c.Name)))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_trained_has_the_gradients_of_a_step_that_trains_all(string name, string dtype, string frozen, int blocks)
    {
        var golden = new GoldenCase(name);
        var all = Gradients(golden, GoldenCase.Plan(Request(golden, dtype, WorkloadKind.Gradients, null, blocks)));
        foreach (bool tight in new[] { false, true })
        {
            var request = Request(golden, dtype, WorkloadKind.Gradients, frozen, blocks, all.Plan);
            var plan = Verified(tight ? GoldenCase.Tight(request) : GoldenCase.Plan(request));
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, golden.Model));
            Assert.NotEmpty(ScheduleVerifier.Verify(all.Plan.Schedule, null, request.Model));
            var some = Gradients(golden, plan);
            Assert.Equal(all.Loss, some.Loss);
            foreach (var parameter in NamedParameter.All(plan.Workload.Model))
            {
                float[] want = parameter.Spec.IsTrained ? all.Tensors[parameter.Name] : new float[parameter.Part.ElementCount];
                Assert.True(want.AsSpan().SequenceEqual(some.Tensors[parameter.Name]), $"{parameter.Name} in {plan.Residency}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void It_moves_alike_in_any_memory_and_what_is_frozen_stays(string name, string dtype, string frozen, int blocks)
    {
        var golden = new GoldenCase(name);
        byte[]? want = null;
        var roomy = Verified(GoldenCase.Plan(Request(golden, dtype, WorkloadKind.ClippedTraining, frozen, blocks)));
        TrainingPlan[] plans =
        [
            roomy,
            .. new[] { SaveSet.None, SaveSet.All, SaveSet.Kv | SaveSet.Attention }.Select(saved =>
                Verified(
                    GoldenCase.Tight(
                        Request(golden, dtype, WorkloadKind.ClippedTraining, frozen, blocks, roomy) with { SaveSet = saved }
                    )
                )
            ),
        ];
        foreach (var plan in plans)
        {
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model));
            using var device = Device.Open(plan.Schedule, plan.Workload, want is null ? 0 : 3);
            var trainer = golden.Trainer(plan, device);
            var before = GoldenCase.Tensors(trainer.Weights);
            double loss = 0;
            for (int step = 0; step < 2; step++)
            {
                loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, 0.1f).Loss;
            }

            var after = GoldenCase.Tensors(trainer.Weights);
            foreach (var parameter in NamedParameter.All(plan.Workload.Model))
            {
                bool stays = before[parameter.Name].AsSpan().SequenceEqual(after[parameter.Name]);
                Assert.True(stays != parameter.Spec.IsTrained || dtype == "bf16", parameter.Name);
            }

            byte[] got = [.. trainer.OptimizerState.SelectMany(s => Bits((0, GoldenCase.Tensors(s)))), .. Bits((loss, after))];
            AssertSame(want ??= got, got, plan.Residency.ToString());
        }
    }

    private static PlanRequest Request(
        GoldenCase golden, string dtype, WorkloadKind kind, string? frozen, int blocks, TrainingPlan? like = null)
    {
        var g = like?.Workload.Geometry;
        var pins = g is null
            ? new GeometryPins(golden.Seqlen / 2, VocabularyBlocks: blocks)
            : new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens);
        return golden.Request(Named(dtype), kind, pins: pins) with { Model = golden.Model.Freezing(frozen is null ? [] : [frozen]) };
    }

    private static (double Loss, Dictionary<string, float[]> Tensors, TrainingPlan Plan) Gradients(GoldenCase golden, TrainingPlan plan)
    {
        var (loss, tensors) = Gradients(golden, plan, order: 1);
        return (loss, tensors, plan);
    }
}
