using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning.Tests;

/// <summary>What a step that freezes tensors has left, against arithmetic by hand.</summary>
public class FrozenTests
{
    // Of micro: 2 norms, Q and O of 256 x 256, K and V of 256 x 128, three matrices of 256 x 1,024 a layer; a vocabulary of 256.
    private const long Matrices = (2 * 256 * 256) + (2 * 256 * 128) + (3 * 256 * 1024);
    private const long Layer = Matrices + (2 * 256);
    private const long Table = 256 * 256;
    private const int Seqlen = 256;
    private const int Rows = 4;
    private const int Tokens = Rows * Seqlen;
    private const string LowerHalf = "model.embed_tokens.*|model.layers.[0-2].*";

    private static readonly MemoryBudget Roomy = new(Bytes.FromGiB(4), Bytes.FromGiB(4));

    private static readonly HardwareProfile H100 = HardwareProfileReader.Parse(
        Checkout.Read("profiling", "hardware", "h100-sxm.json"),
        "h100"
    );

    private static ModelConfig Micro => Models.Load("micro");

    [Fact]
    public void Parameters_state_and_model_flops_of_the_frozen_lower_half_of_micro()
    {
        var frozen = Micro.Freezing([LowerHalf]);
        Assert.Equal((6 * Layer) + (2 * Table) + 256, frozen.ParameterCount);
        Assert.Equal((3 * Layer) + Table + 256, frozen.TrainedParameterCount);
        Assert.Equal(3, frozen.LayersWithoutBackward);
        Assert.Equal(4 * ((3 * Layer) + Table), frozen.FrozenSize(Recipe.Fp32).Value);
        Assert.Equal(2 * ((3 * Layer) + Table), frozen.FrozenSize(Recipe.Bf16).Value);

        // Forward, and for the upper half twice as much again; of attention half of S x S, 8 heads of 32.
        double attention = 2.0 * Seqlen * Seqlen * 256;
        Assert.Equal(
            (2.0 * Seqlen * 6 * Matrices) + (4.0 * Seqlen * 3 * Matrices) + (6 * attention) + (2 * 3 * attention) + (6.0 * Seqlen * Table),
            frozen.ModelFlops(Seqlen)
        );

        // What is frozen above the lowest trained layer passes gradients and has none.
        Assert.Equal(
            Micro.ModelFlops(Seqlen) - (2.0 * Seqlen * 256 * 1024) - (2.0 * Seqlen * Table),
            Micro.Freezing(["model.layers.[4].mlp.down_proj.weight", "model.norm.*", "lm_head.*"]).ModelFlops(Seqlen)
        );
    }

    [Fact]
    public void Ops_and_flops_of_a_step_are_counted_so()
    {
        var (all, frozen) = (Plan(Micro, WorkloadKind.Training), Plan(Micro.Freezing([LowerHalf]), WorkloadKind.Training));
        var forward = Costs(Plan(Micro, WorkloadKind.Evaluation));
        var (everything, some) = (Costs(all), Costs(frozen));
        Assert.Equal(Tokens * ((6.0 * 6 * Matrices) + (6.0 * Table)), everything.Flops - everything.AttentionFlops);
        Assert.Equal(
            Tokens * ((2.0 * 6 * Matrices) + (4.0 * 3 * Matrices) + (6.0 * Table)),
            some.Flops - some.AttentionFlops
        );
        double back = everything.AttentionFlops - forward.AttentionFlops;
        Assert.Equal(forward.AttentionFlops + (back / 2), some.AttentionFlops);

        int chunks = frozen.Workload.Geometry.ChunksPerRound * frozen.Workload.Geometry.Rounds;
        int Ops(OpKind kind) => frozen.Schedule.Ops.Count(o => o.Kind == kind);
        Assert.Equal(
            (6 * chunks, 3 * chunks, chunks, 0, 0),
            (Ops(OpKind.Forward), Ops(OpKind.Backward), Ops(OpKind.Head), Ops(OpKind.EmbedBackward), Ops(OpKind.Recompute))
        );
        Assert.NotEqual(all.Hash, frozen.Hash);
    }

    [Theory]
    [InlineData("fp32", 8)]
    [InlineData("bf16", 4)]
    [InlineData("bf16-master", 12)]
    public void Only_what_is_trained_has_state_gradients_and_activations_and_travels(string dtype, int stateBytes)
    {
        var recipe = Recipe.All.Single(r => r.Name == dtype);
        var frozen = Micro.Freezing([LowerHalf]);
        var workload = Request(frozen, WorkloadKind.Training, recipe).In(new Geometry(Seqlen, Rows, Seqlen, Rows, 1, Seqlen));

        // As little of the device as copies beside compute can do with: all state travels.
        var sizes = new MemorySizes(workload, new BlockPrograms(frozen, recipe, workload.Geometry));
        var plan = Planner.PlanFor(workload, new ResidencyChain(sizes, SaveSet.Kv | SaveSet.Attention, Tier.WholeRound)[0]);
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, Micro));
        long state = ((3 * Layer) + Table + 256) * stateBytes;
        Assert.Equal(state, Sum(plan, ObjectFamily.Moments));
        Assert.Equal((3 * Layer * recipe.Gradients.Size()) + ((Table + 256) * recipe.Gradients.Size()), Sum(plan, ObjectFamily.Gradients));
        foreach (var family in new[] { ObjectFamily.Moments, ObjectFamily.Gradients, ObjectFamily.Activations })
        {
            var layers = Objects(plan, family).Select(o => o.Id!.Value.Owner?.Layer ?? o.Id!.Value.Layer).OfType<Layer>();
            Assert.Equal([3, 4, 5], layers.Select(l => l.Index).Distinct().Order());
        }

        var copies = PlanTraffic.Of(plan.Schedule).Copies;
        var moved = copies.Where(c => c.Kind == ShownNames.KindOf("O/L03/P0")).ToDictionary(c => c.Direction, c => c.Bytes.Value);
        Assert.Equal(state, moved[LinkDirection.HostToDevice]);
        Assert.Equal(state, moved[LinkDirection.DeviceToHost]);
        var left = plan.Schedule.Ops.Where(o => o.Kind == OpKind.Save).Select(o => plan.Schedule.Objects[o.Accesses[0].Object].Id!.Value);
        Assert.DoesNotContain(left, id => (id.Owner?.Layer ?? id.Layer)?.Index < 3);
        Assert.DoesNotContain(left, id => id == new ObjectId(ObjectFamily.Weights) { Owner = ParameterOwner.Embedding(null) });
    }

    [Theory]
    [InlineData("*q_proj*", "freeze all of model.layers.0.self_attn.q_proj.weight, model.layers.0.self_attn.k_proj.weight, ")]
    [InlineData("model.layers.[2].mlp.up_proj.*", "mlp.up_proj.weight would be frozen and model.layers.2.mlp.gate_proj.weight trained")]
    [InlineData("lm_head.*", "but they travel as one object: freeze all of model.norm.weight, lm_head.weight, or none of them")]
    [InlineData("*", "nothing of micro would be trained; freeze less")]
    [InlineData("model.layer.*", "no tensor of micro is called 'model.layer.*'; the nearest are ")]
    public void What_cannot_be_frozen_is_refused_by_name(string pattern, string why) =>
        Assert.Contains(why, Assert.Throws<UserErrorException>(() => Micro.Freezing([pattern])).Message, StringComparison.Ordinal);

    private static PlanRequest Request(ModelConfig model, WorkloadKind kind, Recipe recipe) =>
        new(model, recipe, kind, Seqlen, Rows, new GeometryPins(Seqlen), Roomy, SaveSet.All);

    private static TrainingPlan Plan(ModelConfig model, WorkloadKind kind) =>
        ((PlanResult.Feasible)Planner.Plan(Request(model, kind, Recipe.Fp32))).Plan;

    private static StepCosts Costs(TrainingPlan plan) =>
        StepCosts.Of(plan.Schedule, plan.Workload, new CostModel(H100, plan.Workload.Recipe.Activations));

    private static IEnumerable<DataObject> Objects(TrainingPlan plan, ObjectFamily family) =>
        plan.Schedule.Objects.Where(o => o.Family == family);

    private static long Sum(TrainingPlan plan, ObjectFamily family) => Objects(plan, family).Sum(o => o.Length.Value);
}
