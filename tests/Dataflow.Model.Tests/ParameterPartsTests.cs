namespace Dataflow.Model.Tests;

/// <summary>Layers whose parameters lie in several objects, and layers that are frozen.</summary>
public class ParameterPartsTests
{
    private const string File = """
        {"name": "parts", "vocab_size": 300, "model_dim": 64, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 176,
         "rope_theta": 5e5, "rms_norm_eps": 1e-6, "qk_norm": true,
         "layers": [{"ffn_dim": 176}, {"ffn_dim": 176, "ffn_apart": true}, {"ffn_dim": 176, "frozen": true}]}
        """;

    private static readonly ModelConfig Model = ModelConfigReader.Parse(File, "file");
    private static readonly BlockPrograms Programs = new(Model, Recipe.Bf16, new Geometry(64, 1, 32, 2, 1, 16));

    private static LayerPrograms Whole => Programs[new Layer(0)];

    private static LayerPrograms Apart => Programs[new Layer(1)];

    private static LayerPrograms Frozen => Programs[new Layer(2)];

    [Fact]
    public void A_file_that_is_written_says_what_was_read()
    {
        Assert.Equal(Model, ModelConfigReader.Parse(ModelConfigWriter.Own(Model), "file"));
        Assert.Equal([false, true, false], Model.Kinds.Select(k => k.FfnApart));
        Assert.Equal([false, false, true], Model.Kinds.Select(k => k.Frozen));
    }

    [Fact]
    public void Parts_follow_each_other_as_the_tensors_of_the_whole_do()
    {
        var whole = Assert.Single(Whole.Parts);
        Assert.Equal(2, Apart.Parts.Length);
        Assert.Equal(whole.Tensors.Select(t => t.Name), Apart.Parts.SelectMany(p => p.Tensors).Select(t => t.Name));
        Assert.Equal(
            whole.Tensors.Select(t => t.ElementOffset),
            Apart.Parts.SelectMany(p => p.Tensors.Select(t => p.FirstElement + t.ElementOffset)));
        Assert.Equal(WeightName.FfnNorm, Apart.Parts[1].Tensors[0].Name);
        Assert.Equal(Whole.WeightsSize(0), Apart.WeightsSize(0) + Apart.WeightsSize(1));
        Assert.Equal(Bytes.Zero, Whole.WeightsSize(1));
    }

    [Fact]
    public void A_program_has_the_parts_that_it_names()
    {
        Assert.Equal([0, 1], Apart.PartsOf(Apart.Forward(SaveSet.None)));
        Assert.Equal([0], Apart.PartsOf(Apart.RecomputeKv()));
        Assert.Equal([0, 1], Apart.PartsOf(Apart.Backward(SaveSet.All)));
        var places = Apart.Forward(SaveSet.None).Places;
        Assert.Equal(("w", "w1"), (places[Operand.W(WeightName.Qkv)].Role, places[Operand.W(WeightName.Down)].Role));
        Assert.Equal(Bytes.Zero, places[Operand.W(WeightName.FfnNorm)].Offset);
    }

    [Fact]
    public void What_is_frozen_has_no_gradient_and_the_stream_passes_all_the_same()
    {
        Assert.False(Assert.Single(Frozen.Parts).IsTrained);
        Assert.Equal(Bytes.Zero, Frozen.GradientsSize(0));
        Assert.Equal(Whole.WeightsSize(0), Frozen.WeightsSize(0));
        var (trained, frozen) = (Whole.Backward(SaveSet.All), Frozen.Backward(SaveSet.All));
        Assert.Contains(trained.Places.Keys, o => o.Tensor == TensorName.WeightGradient);
        Assert.DoesNotContain(frozen.Places.Keys, o => o.Tensor == TensorName.WeightGradient);
        Assert.DoesNotContain(frozen.Calls, c => c is GemmWeightGradientCall);
        Assert.Equal(trained.Calls.Count(c => c is GemmInputGradientCall), frozen.Calls.Count(c => c is GemmInputGradientCall));
        Assert.Equal(Model.ParameterCount - Model.LayerParameterCount(new Layer(2)), Model.TrainedParameterCount);
    }

    [Fact]
    public void Norms_with_weights_of_each_head_are_a_matrix_or_a_tensor_a_head()
    {
        const string Sizes = """
            "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
            "intermediate_size": 48
            """;
        var cohere = Parts($$"""{"model_type": "cohere", "use_qk_norm": true, {{Sizes}}}""", WeightName.QNorm);
        Assert.Equal([("model.layers.{layer}.self_attn.q_norm.weight", 0L)], cohere.Select(p => (p.CheckpointName, p.FirstElement)));
        Assert.Equal([4, 8], cohere[0].Shape);
        var stable = Parts($$"""{"model_type": "stablelm", "qk_layernorm": true, {{Sizes}}}""", WeightName.KNorm);
        Assert.Equal(
            [
                ("model.layers.{layer}.self_attn.k_layernorm.norms.0.weight", 0L),
                ("model.layers.{layer}.self_attn.k_layernorm.norms.1.weight", 8L),
            ],
            stable.Select(p => (p.CheckpointName, p.FirstElement)));
        Assert.Equal([8], stable[1].Shape);
    }

    private static System.Collections.Immutable.ImmutableArray<WeightPart> Parts(string config, WeightName name)
    {
        var model = ModelConfigReader.Parse(config, "file");
        return DecoderParameters.Of(model, model.KindOf(new Layer(0))).Single(p => p.Name == name).Parts;
    }
}
