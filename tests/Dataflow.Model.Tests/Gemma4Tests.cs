using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>Configs of Gemma 4: heads, positions and keys by type of layer, layers that share keys and values; what is refused.</summary>
public class Gemma4Tests
{
    private const string Config = """
        {"model_type": "gemma4_text", "vocab_size": 112, "hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 16, "global_head_dim": 24, "num_global_key_value_heads": 1, "attention_k_eq_v": true,
         "intermediate_size": 16, "sliding_window": 16, "hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0,
         "use_double_wide_mlp": false, "tie_word_embeddings": true, "hidden_activation": "gelu_pytorch_tanh",
         "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention", "full_attention"],
         "rope_parameters": {
           "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
           "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1000000.0}}}
        """;

    private static ModelConfig Read(params (string Key, string Json)[] changes)
    {
        var json = JsonNode.Parse(Config)!.AsObject();
        foreach (var (key, value) in changes)
        {
            json[key] = JsonNode.Parse(value);
        }

        return ModelConfigReader.Read(json.ToJsonString(), "gemma", "config.json").Config;
    }

    [Fact]
    public void Full_layers_have_heads_and_positions_of_their_own_and_keys_that_are_values()
    {
        var model = Read();
        var (sliding, full) = (model.KindOf(new Layer(0)), model.KindOf(new Layer(1)));
        Assert.Equal((new LayerHeads(4, 2, 16), 16), (model.HeadsOf(sliding), sliding.Window));
        Assert.Equal((new LayerHeads(4, 1, 24), null), (model.HeadsOf(full), full.Window));
        Assert.Equal((false, true), (sliding.KeysAreValues, full.KeysAreValues));
        Assert.Equal((64 + 64, 96 + 24), (model.ProjectedDim(sliding), model.ProjectedDim(full)));

        // A quarter of the 12 pairs turns, by frequencies of the whole head.
        var turns = RotaryTable.Of(model, full).InverseFrequencies;
        Assert.Equal([1, Math.Pow(1e6, -2.0 / 24), Math.Pow(1e6, -4.0 / 24), 0, 0, 0, 0, 0, 0, 0, 0, 0], turns);
        Assert.Equal(8, RotaryTable.Of(model, sliding).InverseFrequencies.Count(f => f > 0));
        string[] tensors = [.. NamedParameter.All(model).Select(p => p.Name)];
        Assert.Contains("model.layers.0.self_attn.v_proj.weight", tensors);
        Assert.DoesNotContain("model.layers.1.self_attn.v_proj.weight", tensors);
        Assert.Contains("model.layers.1.layer_scalar", tensors);
        Assert.False(NamedParameter.All(model).Single(p => p.Name == "model.layers.1.layer_scalar").Spec.IsTrained);
    }

    [Fact]
    public void Without_keys_as_values_full_layers_have_as_many_key_heads_as_others()
    {
        var model = Read(("attention_k_eq_v", "false"));
        Assert.Equal(new LayerHeads(4, 2, 24), model.HeadsOf(model.KindOf(new Layer(1))));
        Assert.Equal(96 + (2 * 48), model.ProjectedDim(model.KindOf(new Layer(1))));
    }

    [Fact]
    public void Entries_of_single_layers_say_the_same()
    {
        var said = Read(
            ("global_head_dim", "null"), ("num_global_key_value_heads", "null"),
            ("per_layer_config", """{"1": {"head_dim": 24, "num_key_value_heads": 1}, "4": {"head_dim": 24, "num_key_value_heads": 1}}"""));
        Assert.Equal(Read().Kinds, said.Kinds);
        Assert.Null(Read(("per_layer_config", "{}")).KindOf(new Layer(1)).Heads);
    }

    [Fact]
    public void The_last_layers_share_what_the_last_below_of_their_own_type_has()
    {
        var model = Read(("num_kv_shared_layers", "2"), ("use_double_wide_mlp", "true"));
        Assert.Equal([0, 1, 2, 2, 1], model.Layers.Select(l => model.KvSourceOf(l).Index));
        Assert.Equal([16, 16, 16, 32, 32], model.Kinds.Select(k => k.FfnDim));
        Assert.Equal([false, true, true, false, false], model.Kinds.Select(k => k.KvIsRead));
        Assert.Equal([true, false, false, true, true], model.Layers.Select(model.IsLastToReadKv));
        Assert.False(model.KindOf(new Layer(4)).KeysAreValues);
        Assert.Equal(96, model.ProjectedDim(model.KindOf(new Layer(4))));
        Assert.Equal(1, model.Freezing(["model.layers.[0-2].*", "*embed*"]).LayersWithoutBackward);
    }

    [Fact]
    public void Experts_stand_beside_the_dense_feed_forward_with_norms_of_their_own()
    {
        var model = Read(
            ("enable_moe_block", "true"), ("num_experts", "6"), ("top_k_experts", "2"), ("moe_intermediate_size", "8"));
        var kind = model.KindOf(new Layer(0));
        Assert.Equal(16, kind.FfnDim);
        Assert.Equal(new ExpertMixture(6, 2, 8) { Normalised = true, Beside = true }, kind.Experts);
        Assert.Equal(16, model.FfnDim);
        string[] added =
        [
            "router.proj.weight", "router.scale", "router.per_expert_scale", "experts.gate_up_proj", "experts.down_proj",
            "pre_feedforward_layernorm_2.weight", "post_feedforward_layernorm_1.weight", "post_feedforward_layernorm_2.weight",
        ];
        Assert.Equal(
            added.Select(name => $"model.layers.0.{name}").Order(StringComparer.Ordinal),
            NamedParameter.All(model).Select(p => p.Name).Except(NamedParameter.All(Read()).Select(p => p.Name))
                .Where(n => n.Contains(".0.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Layers_take_a_part_of_a_tables_row_and_of_a_product_of_the_embedding()
    {
        var model = Read(("hidden_size_per_layer_input", "6"));
        Assert.Equal((6, 30, true), (model.LayerInputDim, model.LayerInputsDim, model.MayCutVocabulary));
        Assert.Equal(
            [
                "model.embed_tokens_per_layer.weight", "model.layers.0.per_layer_input_gate.weight",
                "model.layers.0.per_layer_projection.weight", "model.layers.0.post_per_layer_input_norm.weight",
                "model.per_layer_model_projection.weight", "model.per_layer_projection_norm.weight",
            ],
            NamedParameter.All(model).Select(p => p.Name).Except(NamedParameter.All(Read()).Select(p => p.Name))
                .Where(n => !n.Contains("layers.", StringComparison.Ordinal) || n.Contains(".0.", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal));
        Assert.Equal(0, model.Freezing(["model.layers.*"]).LayersWithoutBackward);
    }

    [Fact]
    public void Files_may_hold_keys_and_values_of_layers_that_share_those_of_others()
    {
        string[] idle = [.. NamedParameter.Idle(Read(("num_kv_shared_layers", "1")))];
        Assert.Contains("model.layers.4.self_attn.v_proj.weight", idle);
        Assert.DoesNotContain("model.layers.3.self_attn.v_proj.weight", idle);
        Assert.Empty(NamedParameter.Idle(Read()));
    }

    [Theory]
    [InlineData("vocab_size_per_layer_input", "100", "tables of different lengths are not supported")]
    [InlineData("hidden_size_per_layer_input", "-1", "must be from 0 to 1048576, found -1 of each")]
    [InlineData("layer_types", "null", "layer_types is missing")]
    [InlineData("rope_parameters", "null", "rope_parameters is missing")]
    [InlineData("rope_parameters", """{"full_attention": {"rope_type": "proportional"}}""", "rope_parameters has no sliding_attention")]
    [InlineData("num_global_key_value_heads", "null", "num_global_key_value_heads is missing")]
    [InlineData("num_global_key_value_heads", "3", "3 key and value heads, and 4 query heads are no multiple")]
    [InlineData("global_head_dim", "514", "heads of 514, and they must be even and from 2 to 512 wide")]
    [InlineData("num_kv_shared_layers", "4", "a layer has none below of its own type")]
    [InlineData("num_kv_shared_layers", "5", "a layer has none below of its own type")]
    [InlineData("per_layer_config", """{"1": {"intermediate_size": 8}}""", "per_layer_config has intermediate_size for layer 1")]
    [InlineData("use_bidirectional_attention", "\"all\"", "only causal attention is supported")]
    [InlineData(
        "layer_types",
        """["full_attention", "full_attention", "full_attention", "full_attention", "sliding_attention"]""",
        "the last of layer_types is sliding_attention")]
    public void What_is_not_understood_is_refused_by_name(string key, string json, string fault)
    {
        Assert.Contains(fault, Assert.Throws<UserErrorException>(() => Read(("hidden_size_per_layer_input", "6"), (key, json))).Message);
    }
}
