namespace Dataflow.Model;

/// <summary>The dense Hunyuan models: queries and keys are normed after their rotation.</summary>
internal class HunyuanDense : ModelFamily
{
    private static readonly DecoderNames s_names = new()
    {
        QueryNorm = "self_attn.query_layernorm",
        KeyNorm = "self_attn.key_layernorm",
    };

    /// <inheritdoc/>
    public override string Type => "hunyuan_v1_dense";

    /// <inheritdoc/>
    public override string Architecture => "HunYuanDenseV1ForCausalLM";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("attention_bias"),
            ("eod_token_id", new KeyUse.Ignored("of the tokenizer and of generation")),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            QkNorm = true,
            QkNormKind = QkNormKind.HeadsAfterRotation,
            Biases = LlamaBiases(fields),
        };
}

/// <summary>The same with experts in every layer beside a feed-forward of their width that every token has.</summary>
internal sealed class HunyuanMoe : HunyuanDense
{
    private static readonly DecoderNames s_names = new()
    {
        QueryNorm = "self_attn.query_layernorm",
        KeyNorm = "self_attn.key_layernorm",
        Router = "mlp.gate.wg",
        SharedGate = "mlp.shared_mlp.gate_proj",
        SharedUp = "mlp.shared_mlp.up_proj",
        SharedDown = "mlp.shared_mlp.down_proj",
    };

    /// <inheritdoc/>
    public override string Type => "hunyuan_v1_moe";

    /// <inheritdoc/>
    public override string Architecture => "HunYuanMoEV1ForCausalLM";

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [.. base.Keys, .. Reads("num_experts", "num_local_experts", "moe_topk"), .. ExpertKeys.WithoutBalance];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        kind with
        {
            Experts = new(
                ExpertKeys.Count(fields, 1, "num_experts", "num_local_experts"), fields.Int("moe_topk", absent: 1), kind.FfnDim)
            {
                Normalised = true,
            },
        };
}
