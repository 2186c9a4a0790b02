using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Mixtures of experts among dense layers: the same bits in any memory and with anything kept, and one expert that has all tokens is a
/// dense feed-forward. (That their numbers are right, the golden families say.)
/// </summary>
public abstract class ExpertConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private static readonly SaveSet[] s_saveSets =
    [
        SaveSet.None,
        SaveSet.GateUp,
        SaveSet.Kv | SaveSet.Attention,
        SaveSet.All & ~SaveSet.Kv,
        SaveSet.Kv | SaveSet.Query,
        SaveSet.All,
    ];

    private static readonly (string Name, string Dtype, int Chunks, int Rounds, string? Frozen)[] s_cases =
    [
        ("llama-documents", "fp32", 4, 1, null),
        ("qwen3-small", "bf16", 2, 1, null),
        ("llama-small", "bf16-sr", 3, 1, "model.embed*|model.layers.0.*|*.mlp.gate.*|*.shared_expert_gate.*"),
        ("llama-documents", "bf16-master", 1, 2, null),
        ("qwen3-small", "fp32", 8, 1, "*.mlp.experts.*"),
    ];

    /// <summary>Case, recipe, chunks of a row, rounds, what is frozen.</summary>
    public static TheoryData<string, string, int, int, string?> Cases => [.. Sample(s_cases)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Memory_and_what_is_kept_change_no_bit(string name, string dtype, int chunks, int rounds, string? frozen)
    {
        var golden = new GoldenCase(name);
        var model = Model(golden.Model).Freezing(frozen is null ? [] : [frozen]);
        var weights = WeightInitialiser.Weights(model, 5);
        MemoryChangesNoBit(golden, model, weights, Named(dtype), (chunks, rounds), s_saveSets);
    }

    /// <summary>The same where routers have both losses: each round's own, in two rounds, and of two that are alive at once.</summary>
    [Theory]
    [InlineData("llama-documents", "fp32", 4, 2)]
    [InlineData("qwen3-small", "bf16-sr", 2, 1)]
    public void Nor_do_they_where_routers_have_losses(string name, string dtype, int chunks, int rounds)
    {
        var golden = new GoldenCase(name);
        var model = Balanced(golden.Model) with { RouterZWeight = 0.01 };
        var weights = WeightInitialiser.Weights(model, 7);
        MemoryChangesNoBit(golden, model, weights, Named(dtype), (chunks, rounds), s_saveSets);
    }

    /// <summary>
    /// Experts in objects of their own, as many as there are groups of, in any memory: the bits of a step whose layers' experts travel with
    /// them. Layers without experts, and experts that have few tokens or none, are among them.
    /// </summary>
    [Theory]
    [InlineData("llama-documents", "fp32", 2, 1, null)]
    [InlineData("qwen3-small", "bf16-sr", 1, 2, null)]
    [InlineData("llama-small", "bf16-master", 1, 1, "*.mlp.experts.*|model.layers.0.*")]
    public void Groups_of_experts_change_no_bit(string name, string dtype, int chunks, int rounds, string? frozen)
    {
        var golden = new GoldenCase(name);
        var model = Divisible(golden.Model).Freezing(frozen is null ? [] : [frozen]);
        var weights = WeightInitialiser.Weights(model, 11);
        var pins = new GeometryPins((golden.Seqlen + chunks - 1) / chunks, Rounds: rounds);
        var request = golden.Request(Named(dtype), WorkloadKind.Training, pins: pins) with { Model = model };
        var whole = GoldenCase.Plan(request);
        var g = whole.Workload.Geometry;
        pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens);
        Assert.Null(g.ExpertGroups);
        Assert.Equal([1, 2, 4], ExpertGroups.CountsOf(model));
        byte[] want = Trained(golden, whole, weights, 0);
        foreach (int groups in Device.IsSlow && !IsSoak ? new[] { 2 } : [1, 2, 4])
        {
            foreach (var kept in Some(s_saveSets, 2, name, groups))
            {
                var grouped = request with { Pins = pins with { ExpertGroups = groups }, SaveSet = kept };
                foreach (var plan in (TrainingPlan[])[GoldenCase.Tight(grouped), GoldenCase.Plan(grouped)])
                {
                    Assert.Equal(groups, plan.Workload.Geometry.ExpertGroups);
                    AssertSame(want, Trained(golden, plan, weights, groups), $"{groups} groups, {plan.Residency}");
                }
            }
        }
    }

    private static byte[] Trained(GoldenCase golden, TrainingPlan plan, IWeightSource weights, int order)
    {
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model));
        using var device = Device.Open(plan.Schedule, plan.Workload, order);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        double loss = 0;
        for (int step = 0; step < 2; step++)
        {
            loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        }

        var (state, trained) = (trainer.OptimizerState, GoldenCase.Tensors(trainer.Weights));
        return [.. state.SelectMany(s => Bits((0, GoldenCase.Tensors(s)))), .. Bits((loss, trained))];
    }

    /// <summary>The least memory that a mixture of golden values can do with is one that experts in groups alone reach.</summary>
    [Theory]
    [InlineData("mixtral")]
    [InlineData("mixtral-idle")]
    [InlineData("qwen2-moe-crowd")]
    [InlineData("gpt-oss")]
    public void The_smallest_memory_has_experts_in_groups(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var plan = Verified(GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Gradients)));
        Assert.NotNull(plan.Workload.Geometry.ExpertGroups);
        double loss = Gradients(golden, plan).Loss;
        var roomy = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(
            plan.Workload.Geometry.ChunkTokens, plan.Workload.Geometry.ChunksPerRound, plan.Workload.Geometry.Rounds,
            plan.Workload.Geometry.VocabularyBlocks, plan.Workload.Geometry.HeadTokens)));
        Assert.Null(roomy.Workload.Geometry.ExpertGroups);
        AssertSame(Bits(Gradients(golden, roomy)), Bits(Gradients(golden, plan)), $"{name} in groups, loss {loss}");
    }

    /// <summary>A round's loss is that of its rows alone, a step's the mean of its rounds'.</summary>
    [Fact]
    public void The_load_balancing_loss_of_several_rounds_is_the_mean_of_theirs()
    {
        var golden = new GoldenCase("llama-small");
        var model = Balanced(golden.Model);
        var weights = WeightInitialiser.Weights(model, 8);
        double Balance(int rounds)
        {
            double Loss(double weight)
            {
                var pins = new GeometryPins(golden.Seqlen, Rounds: rounds);
                var balanced = model with { BalanceWeight = weight };
                var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: pins) with { Model = balanced };
                var plan = Verified(GoldenCase.Tight(request));
                using var device = Device.Open(plan.Schedule, plan.Workload, 0);
                var trainer = new Trainer(plan.Workload, plan.Schedule, device);
                trainer.Load(weights);
                return trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
            }

            return Loss(1) - Loss(0);
        }

        // Balanced to the full a layer's is the experts of a token, two here; and one product over all rows is no mean of products.
        double together = Balance(1), apart = Balance(2);
        Assert.InRange(together, 2 - 1e-5, 4);
        Assert.InRange(apart, 2 - 1e-5, 4);
        Assert.NotEqual(together, apart, 1e-5);
    }

    /// <summary>
    /// A router of zeros: on a tie the lowest index wins, so that one expert has every token, with all the weight. The others have no
    /// gradient, and nor has the router.
    /// </summary>
    [Fact]
    public void One_expert_with_all_tokens_is_a_dense_feed_forward()
    {
        var golden = new GoldenCase("qwen3-small");
        var dense = golden.Model;
        var mixture = new ExpertMixture(Count: 8, PerToken: 1, dense.FfnDim) { Normalised = true };
        var model = dense with { Pattern = new LayerPattern(new LayerKind(0) { Experts = mixture }) };
        var weights = golden.File("model.safetensors");
        var of = new Dictionary<string, float[]>(weights);
        foreach (var parameter in NamedParameter.All(model).Where(p => !of.ContainsKey(p.Name)))
        {
            // Others than the first are ten times it, so that a token that went there would be seen.
            float scale = parameter.Name.Contains(".experts.0.", StringComparison.Ordinal) ? 1 : 10;
            of[parameter.Name] = parameter.Spec.Name == WeightName.Router
                ? new float[parameter.Part.ElementCount]
                : [.. weights[DenseName(parameter.Name)].Select(w => w * scale)];
        }

        var (loss, gradients) = Run(golden, model, new NamedWeights(model, of), tight: true);
        Assert.NotNull(GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Gradients) with { Model = model })
            .Workload.Geometry.ExpertGroups);
        var (wanted, want) = Run(golden, dense, new NamedWeights(dense, weights), tight: false);
        Assert.Equal(0, (loss - wanted) / wanted, 1e-6);
        foreach (var (tensor, values) in gradients)
        {
            bool idle = tensor.Contains(".experts.", StringComparison.Ordinal) && !tensor.Contains(".experts.0.", StringComparison.Ordinal);
            if (idle || tensor.EndsWith("mlp.gate.weight", StringComparison.Ordinal))
            {
                Assert.All(values, v => Assert.Equal(0, v));
                continue;
            }

            double error = GoldenCase.RelativeL2(values, want[want.ContainsKey(tensor) ? tensor : DenseName(tensor)]);
            Assert.True(error <= 1e-5, $"{tensor}: relative error {error:g3}");
        }
    }

    private static string DenseName(string tensor)
    {
        int from = tensor.IndexOf("experts.", StringComparison.Ordinal), to = tensor.IndexOf('.', from + "experts.".Length);
        return tensor[..from] + tensor[(to + 1)..];
    }

    private static (double Loss, Dictionary<string, float[]> Gradients) Run(
        GoldenCase golden, ModelConfig model, IWeightSource weights, bool tight)
    {
        var request = golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(32)) with { Model = model };
        var plan = Verified(tight ? GoldenCase.Tight(request) : GoldenCase.Plan(request));
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(weights);
        double loss = trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW).Loss;
        return (loss, GoldenCase.Tensors(trainer.Gradients));
    }

    private static ModelConfig Balanced(ModelConfig model)
    {
        var experts = new ExpertMixture(8, 2, 24);
        return model with
        {
            BalanceWeight = 0.05,
            Pattern = new LayerPattern(
                new LayerKind(model.FfnDim),
                new LayerKind(0) { Experts = experts with { Normalised = true } },
                new LayerKind(model.FfnDim) { Experts = experts with { GatesShared = true } }
            ),
            LayerCount = 5,
        };
    }

    /// <summary>Experts whose numbers halve three times.</summary>
    private static ModelConfig Divisible(ModelConfig model)
    {
        var shared = new LayerKind(model.FfnDim);
        return model with
        {
            LayerCount = 4,
            Pattern = new LayerPattern(
                shared,
                shared with { Experts = new(8, 2, 32) { GatesShared = true } },
                new LayerKind(0) { Experts = new(40, 3, 16) { Score = RouterScore.Sigmoid, Normalised = true, Scale = 1.5 } },
                new LayerKind(0) { Experts = new(8, 8, 32) { Normalised = true }, FfnApart = true }
            ),
        };
    }

    /// <summary>
    /// Experts of every kind of routing, some beside one that every token has, with a gate and without, two layers' apart from attention's;
    /// widths that are no whole packs among them.
    /// </summary>
    private static ModelConfig Model(ModelConfig model)
    {
        var none = new LayerKind(0);
        var shared = new LayerKind(model.FfnDim);
        return model with
        {
            LayerCount = Device.IsSlow && !IsSoak ? 4 : 6,
            Pattern = new LayerPattern(
                shared with { Experts = new(8, 2, 24) { GatesShared = true } },
                none with { Experts = new(5, 1, 20) { Normalised = true, Scale = 2 }, Window = 9 },
                shared,
                shared with { Experts = new(40, 3, 16) { Score = RouterScore.Sigmoid, Normalised = true, Scale = 1.5 } },
                none with { Experts = new(4, 4, 36), FfnApart = true },
                shared with { Experts = new(6, 2, 8) { Score = RouterScore.Sigmoid }, FfnApart = true }
            ),
        };
    }
}
