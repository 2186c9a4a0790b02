namespace Dataflow.Model;

/// <summary>GPT-NeoX and Pythia: attention and feed-forward side by side, a norm each; queries, keys and values head by head.</summary>
internal sealed class GptNeoX : ModelFamily
{
    private static readonly DecoderNames s_names = new()
    {
        Embedding = "gpt_neox.embed_in",
        FinalNorm = "gpt_neox.final_layer_norm",
        Head = "embed_out",
        Layer = "gpt_neox.layers.{layer}.",
        Qkv = "attention.query_key_value",
        QkvByHead = true,
        AttentionOut = "attention.dense",
        Up = "mlp.dense_h_to_4h",
        Down = "mlp.dense_4h_to_h",
    };

    /// <inheritdoc/>
    public override string Type => "gpt_neox";

    /// <inheritdoc/>
    public override string Architecture => "GPTNeoXForCausalLM";

    /// <inheritdoc/>
    public override string EpsKey => "layer_norm_eps";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override string ThetaKey => "rotary_emb_base";

    /// <inheritdoc/>
    public override string RotaryPartKey => "rotary_pct";

    /// <inheritdoc/>
    public override double? RotaryPart => 0.25;

    /// <inheritdoc/>
    public override Activation Activation => Activation.Gelu;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [.. Reads("attention_bias", "use_parallel_residual"), ("classifier_dropout", new KeyUse.Ignored("of other heads"))];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Norm = NormKind.LayerWithBias,
            Placement = fields.Bool("use_parallel_residual", absent: true) ? NormPlacement.Parallel : NormPlacement.Before,
            GatedFfn = false,
            Biases = Biases.FeedForward
                | (fields.Bool("attention_bias", absent: true) ? Biases.Qkv | Biases.AttentionOut : Biases.None),
        };
}
