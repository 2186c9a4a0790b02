namespace Dataflow.Model.Tests;

/// <summary>Published mixtures by the sizes in their files: their parameters, those of a token, and which layers are sparse.</summary>
public class MixtureConfigTests
{
    private const string Qwen3 = """
        {"model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
        "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
        "num_experts_per_tok": 8, "norm_topk_prob": true}
        """;

    private const string Mixtral = """
        {"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2}
        """;

    private const string Qwen2 = """
        {"model_type": "qwen2_moe", "vocab_size": 160, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
        "num_key_value_heads": 2, "intermediate_size": 48, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 24,
        "num_experts": 6, "num_experts_per_tok": 2, "decoder_sparse_step": 2, "mlp_only_layers": [3]}
        """;

    [Theory]
    [InlineData(Qwen3, 30_532_122_624, 3_041_867_776)]
    [InlineData(Mixtral, 46_702_792_704, 12_748_853_248)]
    public void Parameters_are_those_that_were_published(string json, long all, long ofToken)
    {
        var model = ModelConfigReader.Parse(json, "m");
        Assert.Equal(all, model.ParameterCount);

        // Six operations a parameter but for embedding and norms; of one token attention to itself is six times the width of its heads.
        long norms = (2L * model.LayerCount * model.ModelDim) + model.ModelDim;
        long ofHeads = model.QkNorm ? 2L * model.HeadDim * model.LayerCount : 0;
        double attention = 6.0 * model.LayerCount * model.QueryDim;
        Assert.Equal(6.0 * (ofToken - norms - ofHeads), model.ModelFlops(1) - attention, 1);
    }

    [Fact]
    public void Layers_are_sparse_by_two_rules_and_their_widths_are_told_apart()
    {
        var model = ModelConfigReader.Parse(Qwen2, "m");
        Assert.Equal([false, true, false, false], model.Kinds.Select(k => k.Experts is not null));
        Assert.Equal([48, 24, 48, 48], model.Kinds.Select(k => k.FfnDim));
        Assert.Equal(new ExpertMixture(6, 2, 16) { GatesShared = true }, model.KindOf(new Layer(1)).Experts);
        Assert.Equal(48, model.FfnDim);
        Assert.Contains("model.layers.1.mlp.shared_expert_gate.weight", NamedParameter.All(model).Select(p => p.Name));
    }

    [Fact]
    public void Our_own_files_say_experts_by_kind_of_layer_and_are_written_as_they_are_read()
    {
        string json = Repository.Read("models", "20b_1b.json").Replace(
            "\"normalised\": true", "\"score\": \"sigmoid\", \"scale\": 2.5, \"gates_shared\": false", StringComparison.Ordinal);
        var model = ModelConfigReader.Parse(json, "m");
        Assert.Equal(new ExpertMixture(128, 4, 1024) { Score = RouterScore.Sigmoid, Scale = 2.5 }, model.KindOf(new Layer(3)).Experts);
        Assert.Equal(model, ModelConfigReader.Parse(ModelConfigWriter.Stored(model), "m"));
        string wrong = json.Replace("sigmoid", "softmin", StringComparison.Ordinal).Replace("scale", "scales", StringComparison.Ordinal);
        Assert.Equal(
            "m cannot be used: layers: scales is not a key of experts (these are: count, per_token, dim, score, normalised, scale, "
                + "gates_shared); layers: score must be softmax or sigmoid, found softmin",
            Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(wrong, "m")).Message);
    }

    [Theory]
    [InlineData("\"num_experts_per_tok\": 8", "\"num_experts_per_tok\": 200", "experts of a token must be from 1 to 128, found 200")]
    [InlineData("\"num_experts\": 128", "\"num_experts\": 0", "experts must be from 1 to 512, found 0")]
    [InlineData("\"moe_intermediate_size\": 768", "\"moe_intermediate_size\": 0", "width of an expert must be from 1 to 1048576, found 0")]
    public void What_cannot_be_is_refused(string right, string wrong, string fault)
    {
        string json = Qwen3.Replace(right, wrong, StringComparison.Ordinal);
        Assert.NotEqual(Qwen3, json);
        Assert.Equal($"m cannot be used: {fault}", Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(json, "m")).Message);
    }

    /// <summary>A file that says no more than this is of the larger published model, positions and windows too.</summary>
    [Fact]
    public void What_a_file_of_gpt_oss_leaves_out_is_as_published()
    {
        const string least = """
            {"model_type": "gpt_oss", "vocab_size": 201088, "hidden_size": 2880, "num_hidden_layers": 36, "num_attention_heads": 64}
            """;
        var model = ModelConfigReader.Parse(least, "gpt-oss-120b");
        var published = ModelConfigReader.Parse(Repository.Read("models", "gpt-oss-120b.json"), "gpt-oss-120b");
        Assert.Equal(
            published with { Origin = model.Origin, MaxPositions = null, PaddingId = null },
            model);
        Assert.Equal([128, null], published.Kinds.Take(2).Select(k => k.Window));
        (string Key, string Fault)[] wrong =
        [
            ("\"swiglu_alpha\": 1.5", "swiglu_alpha is 1.5, and units of experts have 1.702"),
            ("\"swiglu_limit\": 0", "swiglu_limit must be above 0, found 0"),
            (
                "\"quantization_config\": {\"quant_method\": \"mxfp6\"}",
                "quantization_config is set, and quantised weights cannot be trained"
            ),
        ];
        foreach (var (key, fault) in wrong)
        {
            string json = least.Replace("\"vocab_size\"", key + ", \"vocab_size\"", StringComparison.Ordinal);
            Assert.Equal($"m cannot be used: {fault}", Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(json, "m")).Message);
        }
    }

    [Fact]
    public void Muon_takes_matrices_of_experts_and_refuses_a_tensor_that_stacks_them()
    {
        Assert.Null(Optimizer.Muon.Fault(ModelConfigReader.Parse(Mixtral, "m")));
        string granite = Mixtral.Replace("mixtral", "granitemoe", StringComparison.Ordinal);
        Assert.Equal(
            "muon cannot update model.layers.{layer}.block_sparse_moe.input_linear.weight of m, which holds the matrices of all experts in "
                + "one tensor; give --optimizer adamw",
            Optimizer.Muon.Fault(ModelConfigReader.Parse(granite, "m")));
    }
}
