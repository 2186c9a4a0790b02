namespace Dataflow.Model.Tests;

/// <summary>DeepSeek's configs: sizes of the published models, scales of scores, groups of experts, and what is refused by name.</summary>
public class LatentAttentionTests
{
    private const string V2 = """
        {"model_type": "deepseek_v2", "vocab_size": 160, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
        "intermediate_size": 48, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
        "moe_intermediate_size": 16, "n_routed_experts": 8, "num_experts_per_tok": 3, "topk_method": "group_limited_greedy", "n_group": 4,
        "topk_group": 2, "first_k_dense_replace": 1}
        """;

    private static string V3 => V2.Replace("deepseek_v2", "deepseek_v3", StringComparison.Ordinal)
        .Replace("group_limited_greedy", "noaux_tc", StringComparison.Ordinal);

    private static ModelConfig Parse(string json) => ModelConfigReader.Parse(json, "m");

    [Theory]
    [InlineData("deepseek-v2-lite", 15_706_484_224, 2_451_435_008, 0.11472138679292611)]
    [InlineData("deepseek-v3", 671_026_404_352, 36_625_603_584, 0.1352337788608801)]
    public void Published_models_have_their_published_sizes(string name, long all, long ofToken, double scale)
    {
        var model = Parse(Repository.Read("models", name + ".json"));
        Assert.Equal(all, model.ParameterCount);
        Assert.Equal(scale, model.AttentionScale!.Value, 1e-15);
        Assert.Equal((192, 64, true), (model.HeadDim, model.RotaryDims, model.RotatesNeighbours));

        // Six operations a parameter but for norms; of one token attention to itself is six times half the widths of keys and values.
        var latent = model.Latent!;
        long norms = (model.LayerCount * ((2L * model.ModelDim) + latent.KvRank + (latent.QueryRank ?? 0))) + model.ModelDim;
        double attention = 6.0 * model.LayerCount * model.HeadCount * (192 + 128) / 2;
        Assert.Equal(1, (model.ModelFlops(1) - attention) / (6.0 * (ofToken - norms)), 1e-12);
    }

    [Fact]
    public void A_layer_has_the_matrices_of_its_files()
    {
        var v2 = Parse(V2);
        string[] Attention(ModelConfig model) =>
            [
                .. NamedParameter.All(model)
                    .Where(p => p.Name.Contains("layers.1.self_attn.", StringComparison.Ordinal))
                    .Select(p => $"{p.Name["model.layers.1.self_attn.".Length..^".weight".Length]} {string.Join('x', p.Part.Shape)}"),
            ];
        Assert.Equal(
            [
                "q_a_proj 24x32", "q_a_layernorm 24", "q_b_proj 96x24", "kv_a_proj_with_mqa 24x32", "kv_a_layernorm 16",
                "kv_b_proj 128x16", "o_proj 32x64",
            ],
            Attention(v2));
        var direct = Parse(V2.Replace("\"q_lora_rank\": 24", "\"q_lora_rank\": null", StringComparison.Ordinal));
        Assert.Null(direct.Latent!.QueryRank);
        Assert.Equal("q_proj 96x32", Attention(direct)[0]);
        var biased = Parse(V2.Replace("{", "{\"attention_bias\": true, ", StringComparison.Ordinal));
        Assert.Equal(
            ["q_a_proj.bias 24", "kv_a_proj_with_mqa.bias 24", "o_proj.bias 32"],
            NamedParameter.All(biased)
                .Where(p => p.Classes == ParameterClasses.Biases)
                .Where(p => p.Name.StartsWith("model.layers.1.self_attn.", StringComparison.Ordinal))
                .Select(p => $"{p.Name["model.layers.1.self_attn.".Length..]} {string.Join('x', p.Part.Shape)}"));
        Assert.Equal([48, 32, 32], v2.Kinds.Select(k => k.FfnDim));
        Assert.Equal(new ExpertMixture(8, 3, 16) { Groups = 4, GroupsPerToken = 2 }, v2.KindOf(new Layer(1)).Experts);
    }

    /// <summary>Memory has what is turned first in either half of a head; files have it behind, as neighbours or as halves.</summary>
    [Theory]
    [InlineData(true, new[] { 4, 6, 0, 1, 5, 7, 2, 3 })]
    [InlineData(false, new[] { 4, 5, 0, 1, 6, 7, 2, 3 })]
    public void Rows_of_a_head_are_turned_as_the_file_says(bool neighbours, int[] head)
    {
        string widths = $"\"v_head_dim\": 8, \"rope_interleave\": {(neighbours ? "true" : "false")}";
        string json = V3.Replace("\"qk_nope_head_dim\": 16", "\"qk_nope_head_dim\": 4", StringComparison.Ordinal)
            .Replace("\"qk_rope_head_dim\": 8", "\"qk_rope_head_dim\": 4", StringComparison.Ordinal)
            .Replace("\"v_head_dim\": 16", widths, StringComparison.Ordinal);
        var all = NamedParameter.All(Parse(json)).ToLookup(p => p.Name);
        int[] rows = [.. all["model.layers.0.self_attn.q_b_proj.weight"].Single().Part.Order!.Rows];
        Assert.Equal(head, rows[..8]);
        Assert.Equal(head.Select(r => r + 24), rows[24..]);
        var turned = all["model.layers.0.self_attn.kv_a_proj_with_mqa.weight"].Single().Part.Order;
        Assert.Equal(neighbours ? [0, 2, 1, 3] : null, turned?.Rows[16..].Select(r => r - 16));
    }

    [Fact]
    public void The_third_version_chooses_by_logistic_functions_and_defaults_are_those_of_transformers()
    {
        string json = V3;
        string[] left = ["\"topk_method\": \"noaux_tc\", ", "\"num_experts_per_tok\": 3, ", "\"topk_group\": 2, "];
        foreach (string keys in left)
        {
            json = json.Replace(keys, "", StringComparison.Ordinal);
        }

        json = json.Replace("\"first_k_dense_replace\": 1", "\"num_nextn_predict_layers\": 1", StringComparison.Ordinal);
        var model = Parse(json.Replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", StringComparison.Ordinal));
        Assert.Equal(1, model.LayersBeyond);
        Assert.Equal([false, false, false, true], model.Kinds.Select(k => k.Experts is not null));
        Assert.Equal(
            new ExpertMixture(8, 8, 16)
            {
                Score = RouterScore.Sigmoid,
                Normalised = true,
                Scale = 2.5,
                Corrected = true,
                Groups = 4,
                GroupsPerToken = 4,
            },
            model.KindOf(new Layer(3)).Experts);
        Assert.Equal(16, model.KindOf(new Layer(3)).FfnDim);
        Assert.Null(model.AttentionScale);
    }

    [Theory]
    [InlineData("\"v_head_dim\": 16", "\"v_head_dim\": 26", "v_head_dim is 26, and values that are wider than keys, qk_nope_head_dim + "
        + "qk_rope_head_dim 24, are not supported")]
    [InlineData("\"qk_nope_head_dim\": 16", "\"qk_nope_head_dim\": 15", "qk_nope_head_dim must be even and from 1 to 1048576, found 15; "
        + "head_dim is 23, and must be even because rotary positions turn pairs")]
    [InlineData("\"kv_lora_rank\": 16", "\"kv_lora_rank\": 0", "kv_lora_rank must be from 1 to 1048576, found 0")]
    [InlineData("\"n_group\": 4", "\"n_group\": 3", "n_group is 3, and 8 experts are to lie in groups of equal size, of at least 1")]
    [InlineData("\"topk_group\": 2", "\"topk_group\": 5", "topk_group must be from 1 to 4, found 5")]
    [InlineData("\"topk_group\": 2", "\"topk_group\": 1", "a token has 3 experts, and 1 groups of 2 have fewer")]
    [InlineData("group_limited_greedy", "best", "topk_method is best, and greedy and group_limited_greedy are supported")]
    [InlineData("{", "{\"mlp_bias\": true, ", "mlp_bias is true, and biases are not supported")]
    [InlineData("{", "{\"moe_layer_freq\": 2, ", "moe_layer_freq is 2, and all layers behind the first ones have experts")]
    [InlineData("{", "{\"scoring_func\": \"sigmoid\", ", "scoring_func is sigmoid, and experts of deepseek_v2 are chosen otherwise")]
    [InlineData("\"kv_lora_rank\": 16", "\"kv_lora_rank\": null", "kv_lora_rank is null, and deepseek_v2 models need a value or "
        + "no such key")]
    [InlineData("\"n_group\": 4", "\"n_group\": null", "n_group is missing")]
    [InlineData("{", "{\"head_dim\": 24, ", "head_dim is 24, and qk_rope_head_dim is 8; leave head_dim out")]
    [InlineData("{", "{\"qk_head_dim\": 16, ", "qk_head_dim is 16, and qk_nope_head_dim + qk_rope_head_dim is 24; leave qk_head_dim out")]
    [InlineData("{", "{\"max_position_embeddings\": 64, \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}, ",
        "positions of deepseek_v2 models are scaled by the length of the sequence, which is not supported with latent attention")]
    public void What_is_not_computed_is_refused_by_name(string right, string wrong, string fault)
    {
        string json = V2.Replace(right, wrong, StringComparison.Ordinal);
        Assert.NotEqual(V2, json);
        Assert.Equal($"m cannot be used: {fault}", Assert.Throws<UserErrorException>(() => Parse(json)).Message);
    }

    /// <summary>What is added to scores stays in fp32, and need not be whole blocks.</summary>
    [Fact]
    public void Matrices_may_be_stored_in_a_type_of_blocks()
    {
        string json = V3.Replace("\"q_lora_rank\": 24", "\"q_lora_rank\": 32", StringComparison.Ordinal);
        var model = Parse(json).Storing(DType.Int8);
        var types = DecoderParameters.Of(model, model.KindOf(new Layer(1))).ToDictionary(p => p.Name, p => p.Storage);
        Assert.Equal((DType.Float32, DType.Int8), (types[WeightName.RouterCorrection], types[WeightName.KvUp]));
    }

    [Fact]
    public void Adapters_are_refused()
    {
        var adapter = new AdapterConfig { Rank = 2, Alpha = 2, Targets = ModuleNames.AllLinear };
        Assert.Equal(
            "m has latent attention, and adapters of such models are not supported yet",
            Assert.Throws<UserErrorException>(() => Parse(V2).Adapting(adapter)).Message);
    }
}
