namespace Dataflow.Model.Tests;

/// <summary>Models with linear attention in some layers: their configs, counts and rows.</summary>
public class LinearAttentionTests
{
    private const string Config =
        """
        {"model_type": "qwen3_5_text", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 24, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
        "linear_key_head_dim": 8, "linear_value_head_dim": 6, "linear_conv_kernel_dim": 4
        """;

    private static ModelConfig Read(string more = "") => ModelConfigReader.Parse(Config + more + "}", "small", "small");

    [Fact]
    public void Every_fourth_layer_attends_and_the_others_have_states()
    {
        var model = Read();
        Assert.Equal([false, false, false, true, false], model.Kinds.Select(k => k.Attends));
        Assert.Equal(new Recurrence(KeyHeads: 2, Heads: 4, KeyDim: 8, ValueDim: 6, Taps: 4), model.KindOf(new Layer(0)).Recurrence);
        Assert.True(model is { HasStates: true, QkNorm: true, AttentionGate: true, NormWeightOffset: 1, RotaryDims: 4 });

        // in_proj_*, convolution, A_log and dt_bias, norm, out_proj; then the feed-forward and two norms.
        int recurrent = (32 * (56 + 24 + 8)) + (4 * 56) + 8 + 6 + (24 * 32);
        int attention = (32 * (64 + 16 + 16)) + 32 + (32 * 32);
        Assert.Equal(recurrent + (3 * 24 * 32) + 64, model.LayerParameterCount(new Layer(0)));
        Assert.Equal(attention + (3 * 24 * 32) + 64, model.LayerParameterCount(new Layer(3)));
    }

    [Fact]
    public void Layer_types_win_over_the_interval()
    {
        string types = string.Join(", ", Enumerable.Repeat("\"linear_attention\"", 4).Prepend("\"full_attention\""));
        Assert.Equal([true, false, false, false, false], Read($", \"layer_types\": [{types}]").Kinds.Select(k => k.Attends));
    }

    [Theory]
    [InlineData(", \"full_attention_interval\": 0", "full_attention_interval must be at least 1, found 0")]
    [InlineData(", \"linear_num_value_heads\": 3", "linear_num_value_heads 3 is not a multiple of linear_num_key_heads 2")]
    [InlineData(", \"linear_value_head_dim\": 257", "linear_value_head_dim of layer_types must be from 1 to 256, found 257")]
    [InlineData(", \"linear_conv_kernel_dim\": 1", "linear_conv_kernel_dim of layer_types must be from 2 to 16, found 1")]
    [InlineData(", \"attention_bias\": true", "attention_bias is true, and biases of gated attention are not supported")]
    public void What_cannot_be_computed_is_refused(string changed, string fault)
    {
        string key = changed.Split('"')[1];
        string text = Config.Replace($"\"{key}\":", "\"is_training\":", StringComparison.Ordinal) + changed + "}";
        var refused = Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(text, "small", "small"));
        Assert.Contains(fault, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"mamba_d_head\": 7", "mamba_n_heads 4 x mamba_d_head 7 is not mamba_expand x hidden_size, which is 64")]
    [InlineData("\"mamba_n_groups\": 3", "mamba_n_heads 4 is not a multiple of mamba_n_groups 3")]
    [InlineData("\"mamba_d_state\": 300", "mamba_d_state of layer_types must be from 1 to 256, found 300")]
    [InlineData("\"time_step_limit\": [1, 0.5]", "time_step_limit must be two numbers, the least and the most, found [1, 0.5]")]
    [InlineData(
        "\"mamba_proj_bias\": true, \"residual_multiplier\": 0.5",
        "residual_multiplier is 0.5, and biases beside one other than 1 are not supported"
    )]
    public void What_cannot_be_computed_of_a_state_space_is_refused(string more, string fault)
    {
        var refused = Assert.Throws<UserErrorException>(() => Hybrid(more));
        Assert.Contains(fault, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"time_step_limit\": [0.25, {\"__float__\": \"Infinity\"}]", 0.25f, null)]
    [InlineData("\"time_step_limit\": [0, 2]", 0f, 2f)]
    [InlineData("\"mamba_chunk_size\": 16", 0f, null)]
    public void Steps_have_bounds(string more, float least, float? most)
    {
        var of = Hybrid(more).KindOf(new Layer(0)).Recurrence!;
        Assert.True(of is { Corrects: false, HasConvolutionBias: true, HasProductBiases: false, Gates: 4, NormWidth: 64, InputWidth: 156 });
        Assert.Equal((least, most), (of.LeastStep, of.MostStep));
    }

    private static ModelConfig Hybrid(string more)
    {
        string states = more.Contains("mamba_d_state", StringComparison.Ordinal) ? "" : "\"mamba_d_state\": 12,";
        string text =
            $$"""
            {"model_type": "granitemoehybrid", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "shared_intermediate_size": 24, "num_local_experts": 0, "mamba_n_heads": 4, {{states}}
            "layer_types": ["mamba", "attention"], {{more}}}
            """;
        return ModelConfigReader.Parse(text, "small", "small");
    }

    [Fact]
    public void In_files_each_query_stands_before_its_gate_and_in_memory_all_gates_before_all_queries()
    {
        // Two heads of four rows, of which the first two are turned: their halves lie apart.
        var within = RowOrder.OfHeads(2, 4, 2, neighbours: false);
        Assert.Equal([4, 5, 6, 7, 12, 13, 14, 15, 0, 2, 1, 3, 8, 10, 9, 11], RowOrder.OfHeadsBehindGates(2, 4, within).Rows);
        Assert.Equal([4, 5, 6, 7, 0, 1, 2, 3], RowOrder.OfHeadsBehindGates(1, 4, null).Rows);
    }

    [Fact]
    public void A_states_flops_grow_with_the_tokens_and_not_with_their_square()
    {
        var model = Read();
        var alone = model with { LayerCount = 1 };
        Assert.Equal(4 * alone.ModelFlops(1000), alone.ModelFlops(4000), 1e-6);
        double matrices = 6.0 * ((32 * (56 + 24 + 8 + 24)) + (3 * 24 * 32) + (32 * 96));
        Assert.Equal(1000 * (matrices + (18 * 4 * 8 * 6)), alone.ModelFlops(1000), 1e-6);
    }
}
