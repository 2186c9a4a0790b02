namespace Dataflow.Model.Tests;

/// <summary>PEFT's configs and its rules of which modules are meant.</summary>
public sealed class AdapterConfigTests
{
    private static readonly ModelConfig s_model = ModelConfigReader.Parse(
        """
        {"model_type": "llama", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 12, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 56, "rms_norm_eps": 1e-5}
        """,
        "small");

    [Theory]
    [InlineData("\"q_proj\"", "", 0)] // one text is a regular expression for the whole name
    [InlineData("[\"q_proj\", \"v_proj\"]", "", 24)]
    [InlineData("[\"proj\"]", "", 0)]
    [InlineData("[\"self_attn.q_proj\"]", "", 12)]
    [InlineData("[\"model.layers.1.self_attn.q_proj\"]", "", 1)]
    [InlineData("[\"layers.1.self_attn.q_proj\"]", "", 1)]
    [InlineData("\"all-linear\"", "", 84)]
    [InlineData("\"All-Linear\"", ", \"exclude_modules\": [\"down_proj\"]", 72)]
    [InlineData("\".*q_proj\"", "", 12)]
    [InlineData("\"model\\\\.layers\\\\.(1|11)\\\\..*(q|k)_proj\"", "", 4)]
    [InlineData("[\"q_proj\"]", ", \"layers_to_transform\": [1, 11]", 2)]
    [InlineData("[\"q_proj\"]", ", \"layers_to_transform\": 3", 1)]
    [InlineData("[\"q_proj\"]", ", \"layers_to_transform\": [1], \"layers_pattern\": \"layers\"", 1)]
    [InlineData("[\"q_proj\"]", ", \"layers_to_transform\": [1], \"layers_pattern\": [\"blocks\"]", 0)]
    [InlineData("[\"model.layers.0.mlp.up_proj\"]", ", \"layers_to_transform\": [1]", 1)] // a whole name is meant whatever the layers
    [InlineData("[\"q_proj\", \"k_proj\"]", ", \"exclude_modules\": \".*layers\\\\.1\\\\..*\"", 22)]
    public void Modules_are_those_of_PEFT(string targets, string more, int count)
    {
        var config = Parse($$"""{"r": 4, "lora_alpha": 8, "target_modules": {{targets}}{{more}}}""");
        if (count == 0)
        {
            Assert.Contains("are no modules of small", Refused(() => s_model.Adapting(config)), StringComparison.Ordinal);
            return;
        }

        var model = s_model.Adapting(config);
        Assert.Equal(count, model.Layers.Sum(l => model.KindOf(l).Adapter?.Parts.Length ?? 0));
        Assert.Equal(config, AdapterConfigFile.Parse(config.ToString(), "again"));
        Assert.Equal(config, AdapterConfigFile.Parse(AdapterConfigFile.Write(model, "base"), "written"));
    }

    /// <summary>Plans are kept and compared by what a config says of itself.</summary>
    [Fact]
    public void A_config_says_itself_with_an_adapter_and_without()
    {
        Assert.Contains("small", s_model.ToString(), StringComparison.Ordinal);
        var adapted = s_model.Adapting(Parse("""{"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}"""));
        Assert.Contains("small", adapted.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_what_stands_in_attentions_place_all_products_are_targets_and_DoRA_is_refused()
    {
        var recurrence = new Recurrence(KeyHeads: 2, Heads: 4, KeyDim: 6, ValueDim: 5, Taps: 4);
        LayerKind[] kinds = [new(56) { ConvolutionTaps = 3 }, new(56) { Recurrence = recurrence }, new(56)];
        var model = s_model with { LayerCount = 3, Pattern = new LayerPattern([.. kinds]) };
        const string all = """{"r": 4, "lora_alpha": 8, "target_modules": "all-linear" """;
        var adapted = model.Adapting(Parse(all + "}"));
        Assert.Equal([5, 8, 7], adapted.Layers.Select(l => adapted.KindOf(l).Adapter!.Parts.Length));
        Assert.Contains(
            NamedParameter.All(adapted), p => p.Name.EndsWith("1.linear_attn.in_proj_a.lora_B.weight", StringComparison.Ordinal));
        Assert.Contains(
            "DoRA is not supported of what stands in attention's place nor of gated attention",
            Refused(() => model.Adapting(Parse(all + ", \"use_dora\": true}"))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_and_alphas_go_by_the_first_pattern_that_matches()
    {
        var config = Parse(
            """
            {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "use_rslora": true,
             "rank_pattern": {"layers\\.1\\.mlp\\.up_proj": 9, "up_proj": 2, "proj": 3}, "alpha_pattern": {"(q|k)_proj": 16}}
            """);
        Assert.Equal(9, config.RankOf("model.layers.1.mlp.up_proj"));
        Assert.Equal(2, config.RankOf("model.layers.11.mlp.up_proj"));
        Assert.Equal(4, config.RankOf("model.layers.1.mlp.down_proj")); // the pattern is an ending after a dot
        Assert.Equal(16 / 2.0, config.ScaleOf("model.layers.0.self_attn.k_proj"));
        Assert.Equal(8 / 3.0, config.ScaleOf("model.layers.1.mlp.up_proj"));
    }

    [Theory]
    [InlineData("\"peft_type\": \"IA3\"", "is of an adapter of type IA3")]
    [InlineData("\"bias\": \"all\"", "bias must be none, found all")]
    [InlineData("\"init_lora_weights\": \"pissa\"", "is of an adapter to a changed base")]
    [InlineData("\"lora_bias\": true", "lora_bias true is not supported")]
    [InlineData("\"trainable_token_indices\": [1]", "trainable_token_indices [1] is not supported")]
    [InlineData("\"unheard_of\": 3", "unheard_of 3 is not supported")]
    [InlineData("\"lora_dropout\": 1.5", "lora_dropout must be from 0 to below 1")]
    [InlineData("\"layers_pattern\": \"h\"", "layers_pattern says nothing without layers_to_transform")]
    [InlineData("\"rank_pattern\": {\"q_proj\": 2.5}", "a rank must be a whole number")]
    public void What_is_not_computed_is_refused(string key, string why) =>
        Assert.Contains(
            why,
            Refused(() => s_model.Adapting(Parse($$"""{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], {{key}}}"""))),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"lora_alpha": 8, "target_modules": ["q_proj"]}""", "r is missing")]
    [InlineData("""{"r": 0, "lora_alpha": 8, "target_modules": ["q_proj"]}""", "a rank must be a whole number from 1")]
    [InlineData("""{"r": 4, "lora_alpha": 8}""", "target_modules must name modules")]
    [InlineData("""{"r": 4, "lora_alpha": 8, "target_modules": "(q_proj"}""", "is no regular expression")]
    [InlineData(
        """{"r": 4, "lora_alpha": 8, "target_modules": ".*q_proj", "layers_to_transform": [1]}""",
        "layers_to_transform takes target_modules that are a list")]
    [InlineData("""{"r": 40, "lora_alpha": 8, "target_modules": ["q_proj"]}""", "rank is larger than model.layers.0.self_attn.q_proj")]
    [InlineData("""{"r": 4, "lora_alpha": 8, "target_modules": ["input_layernorm"]}""", "which is no matrix; an adapter")]
    [InlineData(
        """{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "modules_to_save": ["q_proj"]}""",
        "is both a target of the adapter and in modules_to_save")]
    [InlineData(
        """{"r": 4, "lora_alpha": 8, "target_modules": ["o_proj"], "modules_to_save": ["q_proj"]}""",
        "modules_to_save: model.layers.0.self_attn.k_proj.weight would be frozen")]
    public void What_cannot_be_is_refused(string json, string why) =>
        Assert.Contains(why, Refused(() => s_model.Adapting(Parse(json))), StringComparison.Ordinal);

    [Fact]
    public void Nothing_is_trained_but_the_adapter_and_what_is_saved_with_it()
    {
        var model = s_model.Adapting(
            Parse(
                """
                {"r": 4, "lora_alpha": 8, "target_modules": ["o_proj"], "modules_to_save": ["input_layernorm"], "layers_to_transform": [5]}
                """));
        Assert.Equal(12 * 32 + (4 * 32) + (32 * 4), model.TrainedParameterCount);
        Assert.Equal(0, model.LayersWithoutBackward);
        Assert.Equal(model.WithoutAdapter().ParameterCount + (8 * 32), model.ParameterCount);
        var lower = s_model.Adapting(Parse("""{"r": 4, "lora_alpha": 8, "target_modules": ["o_proj"], "layers_to_transform": [5]}"""));
        Assert.Equal(5, lower.LayersWithoutBackward);
    }

    private static AdapterConfig Parse(string json) => AdapterConfigFile.Parse(json, "adapter_config.json");

    private static string Refused(Action act) => Assert.Throws<UserErrorException>(act).Message;
}
