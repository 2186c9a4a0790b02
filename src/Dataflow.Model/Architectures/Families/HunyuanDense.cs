namespace Dataflow.Model;

/// <summary>The dense Hunyuan models: queries and keys are normed after their rotation.</summary>
internal sealed class HunyuanDense : ModelFamily
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
