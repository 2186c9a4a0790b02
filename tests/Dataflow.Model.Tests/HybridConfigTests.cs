namespace Dataflow.Model.Tests;

/// <summary>Families of layers with states, some of a single sublayer: their configs, counts and rows.</summary>
public class HybridConfigTests
{
    private const string Sizes = "\"vocab_size\": 96, \"hidden_size\": 32, \"num_attention_heads\": 2, \"num_key_value_heads\": 1";

    private static ModelConfig Read(string more) => ModelConfigReader.Parse($"{{{Sizes}, {more}}}", "small", "small");

    private static string Fault(string more) => Assert.Throws<UserErrorException>(() => Read(more)).Message;

    [Theory]
    [InlineData("\"hybrid_override_pattern\": \"M-E*\", \"num_hidden_layers\": 4")]
    [InlineData("\"hybrid_override_pattern\": \"M-E*\"")]
    [InlineData("\"layers_block_type\": [\"linear_attention\", \"mlp\", \"moe\", \"full_attention\"]")]
    [InlineData("\"layers_block_type\": [\"mamba\", \"mlp\", \"moe\", \"attention\"], \"num_hidden_layers\": 4")]
    public void Layers_have_one_sublayer_each(string layers)
    {
        var model = Read(
            $"""
            "model_type": "nemotron_h", {layers}, "head_dim": 16, "intermediate_size": 40, "mamba_num_heads": 4, "mamba_head_dim": 12,
            "ssm_state_size": 16, "n_groups": 2, "n_routed_experts": 6, "moe_intermediate_size": 8, "routed_scaling_factor": 2.5,
            "moe_shared_expert_intermediate_size": 16, "time_step_limit": [0.0, Infinity]
            """.Replace("Infinity", "null", StringComparison.Ordinal));
        Sublayers[] sublayers = [Sublayers.Mixer, Sublayers.FeedForward, Sublayers.FeedForward, Sublayers.Mixer];
        Assert.Equal(sublayers, model.Kinds.Select(k => k.Sublayers));
        Assert.Equal([true, false, false, true], model.Kinds.Select(k => k.HasWindow));
        Assert.True(model is { HasStates: true, HasExperts: true, GatedFfn: false, FfnDim: 40, LayerCount: 4 });
        var mamba = new Recurrence(KeyHeads: 2, Heads: 4, KeyDim: 16, ValueDim: 12, Taps: 4)
        {
            Rule = RecurrenceRule.StateSpace,
            HasConvolutionBias = true,
            LeastStep = 0.001f,
            InitialSteps = new(0.001, 0.1, 1e-4),
        };
        Assert.Equal(mamba, model.KindOf(new Layer(0)).Recurrence);
        var experts = new ExpertMixture(Count: 6, PerToken: 2, Dim: 8)
        {
            Score = RouterScore.Sigmoid,
            Corrected = true,
            Normalised = true,
            Scale = 2.5,
        };
        Assert.Equal(experts, model.KindOf(new Layer(2)).Experts);
        long[] counts = [.. model.Layers.Select(model.LayerParameterCount)];
        Assert.Equal(32 + (2 * 40 * 32), counts[1]);
        Assert.Equal(32 + (32 * 6) + (6 * 2 * 8 * 32) + (2 * 16 * 32), counts[2]);
        Assert.Equal(32 + (32 * (32 + 16 + 16 + 32)), counts[3]);
    }

    [Theory]
    [InlineData("\"hybrid_override_pattern\": \"MX\"", "hybrid_override_pattern is MX, and of M * - E it is made")]
    [InlineData("\"hybrid_override_pattern\": \"M*\", \"num_hidden_layers\": 3", "has 2 layers, and num_hidden_layers is 3")]
    [InlineData("\"num_hidden_layers\": 3", "neither layers_block_type nor hybrid_override_pattern is there")]
    [InlineData("\"layers_block_type\": [\"mamba\", \"conv\"]", "layer_types has \"conv\"")]
    [InlineData("\"hybrid_override_pattern\": \"ME\", \"n_group\": 2", "n_group is 2, and choosing experts by groups is not supported")]
    [InlineData("\"hybrid_override_pattern\": \"ME\", \"moe_latent_size\": 8", "moe_latent_size is 8, and experts in a space of their own")]
    [InlineData("\"hybrid_override_pattern\": \"ME\", \"mlp_bias\": true", "mlp_bias is true, and biases beside experts")]
    [InlineData("\"hybrid_override_pattern\": \"M*\", \"mamba_hidden_act\": \"gelu\"", "mamba_hidden_act is gelu")]
    public void What_cannot_be_computed_of_them_is_refused(string more, string fault) =>
        Assert.Contains(fault, Fault("\"model_type\": \"nemotron_h\", " + more), StringComparison.Ordinal);

    [Theory]
    [InlineData("qwen3_5_text")]
    [InlineData("qwen3_next")]
    [InlineData("olmo_hybrid")]
    public void What_recurrences_are_of_is_activated_by_one_function(string type) =>
        Assert.Contains(
            "hidden_act is gelu, and recurrences are of what SiLU makes of their inputs",
            Fault($"\"model_type\": \"{type}\", \"num_hidden_layers\": 4, \"hidden_act\": \"gelu\", \"intermediate_size\": 8"),
            StringComparison.Ordinal);

    [Fact]
    public void Files_have_rows_by_key_head_and_memory_part_by_part()
    {
        var model = Read(
            """
            "model_type": "qwen3_next", "num_hidden_layers": 1, "layer_types": ["linear_attention"], "linear_num_key_heads": 2,
            "linear_num_value_heads": 4, "linear_key_head_dim": 1, "linear_value_head_dim": 2, "num_experts": 16
            """);
        var parts = NamedParameter.All(model).ToDictionary(p => p.Name, p => p.Part);

        // Of each key head a query, a key, four rows of values and four of what the result is gated by.
        int[] want = [0, 10, 1, 11, 2, 3, 4, 5, 12, 13, 14, 15, 6, 7, 8, 9, 16, 17, 18, 19];
        Assert.Equal(want, parts["model.layers.0.linear_attn.in_proj_qkvz.weight"].Order!.Rows);
        Assert.Equal([0, 1, 4, 5, 2, 3, 6, 7], parts["model.layers.0.linear_attn.in_proj_ba.weight"].Order!.Rows);
        Assert.True(model.KindOf(new Layer(0)).Experts is { GatesShared: true, Normalised: true, PerToken: 10, Count: 16 });
    }

    [Theory]
    [InlineData("\"rope_parameters\": {\"rope_theta\": null, \"rope_type\": \"default\"}", false, 2)]
    [InlineData("\"rope_theta\": 10000.0, \"linear_allow_neg_eigval\": false", true, 1)]
    [InlineData("\"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"default\"}", true, 2)]
    [InlineData("\"rope_theta\": null", false, 2)]
    public void Norms_stand_before_recurrences_and_behind_attention(string more, bool turns, int correction)
    {
        var model = Read($"\"model_type\": \"olmo_hybrid\", \"num_hidden_layers\": 2, {more}");
        LayerKind linear = model.KindOf(new Layer(0)), full = model.KindOf(new Layer(1));
        Assert.Equal((NormPlacement.Before, NormPlacement.After), (model.In(linear).Placement, model.In(full).Placement));
        Assert.Equal(turns, model.PositionsOf(full) != RotaryPositions.None);
        var recurrence = new Recurrence(KeyHeads: 2, Heads: 2, KeyDim: 12, ValueDim: 24, Taps: 4)
        {
            MostCorrection = correction,
            NormEps = 1e-5f,
            InitialRates = new(1e-6, 16),
            InitialSteps = new(0.001, 0.1, 1e-4),
        };
        Assert.Equal(recurrence, linear.Recurrence);
        string[] norms = ["0.attention_layer_norm", "0.feedforward_layer_norm", "1.feedforward_layer_norm", "1.post_feedforward_layernorm"];
        Assert.All(norms, n => Assert.Contains(NamedParameter.All(model), p => p.Name == $"model.layers.{n}.weight"));
    }
}
