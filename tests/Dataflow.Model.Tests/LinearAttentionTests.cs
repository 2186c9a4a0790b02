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
