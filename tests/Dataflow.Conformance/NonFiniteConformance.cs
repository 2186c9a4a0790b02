using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>Steps with a value that is not finite: where it arose is named, and the state before the step remains to the bit.</summary>
public abstract class NonFiniteConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const float Clip = 0.5f;

    /// <summary>Case, recipe, what is planted in: a pass and the tensor that it writes, and what that is called.</summary>
    public static TheoryData<string, string, OpKind, TensorName, WeightName, string> Planted
    {
        get
        {
            (string, string, OpKind, TensorName, WeightName, string)[] all =
            [
                ("llama-small", "fp32", OpKind.Backward, TensorName.WeightGradient, WeightName.Down, "mlp.down_proj.weight"),
                ("llama-small", "bf16-sr", OpKind.Backward, TensorName.WeightGradient, WeightName.Qkv, "self_attn.q_proj.weight"),
                ("qwen3-small", "bf16", OpKind.Backward, TensorName.WeightGradient, WeightName.GateUp, "mlp.gate_proj.weight"),
                ("llama-documents", "bf16-master", OpKind.Backward, TensorName.WeightGradient, WeightName.AttentionNorm,
                    "input_layernorm.weight"),
                ("llama-small", "fp32", OpKind.Forward, TensorName.AttentionOut, default, "the output of attention"),
                ("qwen3-small", "bf16-sr", OpKind.Forward, TensorName.Norm2, default, "the normed input of the feed-forward"),
                ("llama-small", "bf16-master", OpKind.Backward, TensorName.GradQkv, default, "the gradient of the projections Q, K and V"),
                ("llama-small", "bf16", OpKind.Backward, TensorName.GradStream, default, "the gradient of the residual stream"),
                ("llama-documents", "fp32", OpKind.Head, TensorName.Logits, default, "the logits"),
                ("qwen3-small", "fp32", OpKind.Head, TensorName.GradHeadNorm, default, "the gradient of the normed input of the head"),
            ];
            return [.. Sample(all)];
        }
    }

    /// <summary>On a slow device one of eight.</summary>
    public static TheoryData<string> Families =>
        [.. GoldenCase.Families.Where((_, i) => !Device.IsSlow || IsSoak || i % 8 == 6)];

    /// <summary>In one chunk of one layer, in every step until the hand that plants it is withdrawn.</summary>
    [Theory]
    [MemberData(nameof(Planted))]
    public void A_planted_NaN_is_named_by_layer_chunk_and_tensor(
        string name, string dtype, OpKind pass, TensorName tensor, WeightName weight, string called)
    {
        var golden = new GoldenCase(name);
        var request = golden.Request(Named(dtype), WorkloadKind.ClippedTraining, pins: new GeometryPins(32, golden.Seqlen / 32));
        foreach (var (plan, order) in new[] { (GoldenCase.Plan(request), 0), (GoldenCase.Tight(request), 5) })
        {
            var geometry = plan.Workload.Geometry;
            var chunk = new Chunk(geometry.ChunksPerRound - 1);
            Layer? layer = pass == OpKind.Head ? null : new Layer(plan.Workload.Model.LayerCount - 1);
            using var device = Device.Open(plan.Schedule, plan.Workload, order);
            var trainer = new Trainer(plan.Workload, plan.Schedule, device) { OnNonFinite = NonFiniteSteps.Skip };
            Load(golden, trainer, _ => { });
            Step(golden, trainer);
            byte[] before = Bits(trainer);
            StepReport report;
            using (((IInspectableDevice)device).Inspect(c => Plant(c, pass, layer, chunk, new Operand(tensor, weight))))
            {
                report = Step(golden, trainer);
            }

            var found = report.Skipped!;
            Assert.Equal((2, 1), (trainer.StepsDone, trainer.StepsSkipped));
            Assert.Equal((layer, chunk, pass), (found.Layer, found.Chunk!.Value, found.Op!.Value));
            Assert.EndsWith(called, found.Tensor, StringComparison.Ordinal);
            Assert.Equal(KindOf(tensor), found.Kind);
            Assert.Contains(layer is { } l ? $"layer {l.Index}, chunk {chunk.Index}" : $"head, chunk {chunk.Index}", $"{found}");
            AssertSame(before, Bits(trainer), $"order {order} of {plan.Budget}: a skipped step");

            // The update after it is the second one, whatever the number of the step.
            Assert.Null(Step(golden, trainer).Skipped);
            byte[] after = Bits(trainer);
            using var other = Device.Open(plan.Schedule, plan.Workload, order);
            var unbroken = new Trainer(plan.Workload, plan.Schedule, other);
            Load(golden, unbroken, _ => { });
            Step(golden, unbroken);
            Step(golden, unbroken);
            AssertSame(Bits(unbroken), after, "a skipped step before it");
        }
    }

    /// <summary>In a weight that was loaded so, which stops the run with its state as it was.</summary>
    [Theory]
    [InlineData("llama-small", "fp32", "model.layers.1.mlp.up_proj.weight")]
    [InlineData("qwen3-small", "bf16-sr", "model.layers.0.self_attn.v_proj.weight")]
    [InlineData("llama-documents", "bf16-master", "model.norm.weight")]
    public void A_weight_that_is_not_finite_is_named(string name, string dtype, string weight)
    {
        var golden = new GoldenCase(name);
        var plan = GoldenCase.Tight(
            golden.Request(Named(dtype), WorkloadKind.ClippedTraining, pins: new GeometryPins(32, golden.Seqlen / 32)));
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        Load(golden, trainer, tensors => tensors[weight][^1] = float.PositiveInfinity);
        byte[] before = Bits(trainer);
        var refused = Assert.Throws<UserErrorException>(() => Step(golden, trainer));
        Assert.Contains($"infinity in the weight {weight}, as it was before the step", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, trainer.StepsDone);
        AssertSame(before, Bits(trainer), "a step that was not taken");
    }

    /// <summary>Whatever else is in memory: segments, blocks of the vocabulary, padding, recomputation.</summary>
    [Theory]
    [InlineData("llama-long", "fp32", 256, 1)]
    [InlineData("llama-small", "bf16", 64, 3)]
    [InlineData("qwen3-small", "bf16-sr", 96, 2)]
    [InlineData("llama-documents", "fp32", 64, 2)]
    public void A_value_that_comes_and_goes_is_told_as_such(string name, string dtype, int chunk, int blocks)
    {
        if (!Affords(name))
        {
            return;
        }

        var golden = new GoldenCase(name);
        var plan = GoldenCase.Tight(
            golden.Request(Named(dtype), WorkloadKind.ClippedTraining, pins: new GeometryPins(chunk, VocabularyBlocks: blocks)));
        using var device = Device.Open(plan.Schedule, plan.Workload, 4);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device) { OnNonFinite = NonFiniteSteps.Skip };
        Load(golden, trainer, _ => { });
        int times = 0;
        StepReport report;
        using (
            ((IInspectableDevice)device).Inspect(c =>
            {
                if (c.Call is GemmWeightGradientCall gradient && Interlocked.Increment(ref times) == 1)
                {
                    PlantIn(c, gradient.C);
                }
            })
        )
        {
            report = Step(golden, trainer);
        }

        Assert.Equal($"{new NonFiniteValue(NonFiniteKind.Gone, "")}", $"{report.Skipped}");
        Assert.Null(Step(golden, trainer).Skipped);
    }

    /// <summary>Every family: nothing else that a step of it writes is taken for a value that is not finite.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void A_loss_alone_that_is_not_finite_is_named_in_every_family(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var plan = GoldenCase.Tight(golden.Request(Recipe.Fp32, WorkloadKind.Gradients));
        using var device = Device.Open(plan.Schedule, plan.Workload, 3);
        var trainer = golden.Trainer(plan, device);
        var last = new Chunk(plan.Workload.Geometry.ChunksPerRound - 1);
        using (((IInspectableDevice)device).Inspect(c => Plant(c, c.Op.Kind, null, last, TensorName.Loss)))
        {
            var refused = Assert.Throws<UserErrorException>(() => Step(golden, trainer));
            string where = $"NaN in the loss, a value of the forward: head, chunk {last.Index}, round 0";
            Assert.Contains(where, refused.Message, StringComparison.Ordinal);
        }
    }

    private static NonFiniteKind KindOf(TensorName tensor) =>
        tensor == TensorName.WeightGradient ? NonFiniteKind.WeightGradient
        : $"{tensor}".StartsWith("Grad", StringComparison.Ordinal) ? NonFiniteKind.ActivationGradient
        : NonFiniteKind.ForwardValue;

    private static StepReport Step(GoldenCase golden, Trainer trainer) =>
        trainer.Step(golden.Tokens(), golden.AllRows, golden.AdamW, Clip);

    private static void Plant(in CompletedCall call, OpKind pass, Layer? layer, Chunk chunk, Operand into)
    {
        if (call.Op.Kind == pass && call.Op.Layer == layer && call.Op.Chunk == chunk && call.Op.Round == new Round(0)
            && (call.Call.Writes.Contains(into) || call.Call.Updates.Contains(into)))
        {
            PlantIn(call, into);
        }
    }

    private static void PlantIn(in CompletedCall call, Operand into)
    {
        var tensor = call.Operands.Tensor(into);
        call.Memory.Write(
            tensor.Address, tensor.Type == DType.Float32 ? BitConverter.GetBytes(float.NaN) : [0xC0, 0x7F]);
    }

    private static void Load(GoldenCase golden, Trainer trainer, Action<Dictionary<string, float[]>> change)
    {
        var tensors = golden.File("model.safetensors");
        change(tensors);
        trainer.Load(new NamedWeights(golden.Model, tensors));
    }

    private static byte[] Bits(Trainer trainer) =>
        [.. trainer.OptimizerState.Prepend(trainer.Weights).SelectMany(s => Bits((0, GoldenCase.Tensors(s))))];
}
