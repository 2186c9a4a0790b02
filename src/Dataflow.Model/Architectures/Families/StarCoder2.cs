namespace Dataflow.Model;

/// <summary>StarCoder2: LayerNorm, biases, a feed-forward of two matrices, a window.</summary>
internal sealed class StarCoder2 : ModelFamily
{
    private static readonly DecoderNames s_names = new() { Up = "mlp.c_fc", Down = "mlp.c_proj" };

    /// <inheritdoc/>
    public override string Type => "starcoder2";

    /// <inheritdoc/>
    public override string Architecture => "Starcoder2ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 2;

    /// <inheritdoc/>
    public override string EpsKey => "norm_epsilon";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override Activation Activation => Activation.GeluTanh;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) => fields.Has("sliding_window") ? Window(fields) : null;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("use_bias"),
            ("embedding_dropout", new KeyUse.Dropout()),
            ("residual_dropout", new KeyUse.Dropout()),
            ("mlp_type", new KeyUse.RefusedUnless("only a plain feed-forward is supported", "\"default\"")),
            ("norm_type", new KeyUse.RefusedUnless("only LayerNorm is supported", "\"layer_norm\"")),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Norm = NormKind.LayerWithBias,
            GatedFfn = false,
            Biases = fields.Bool("use_bias", absent: true) ? Biases.Qkv | Biases.AttentionOut | Biases.FeedForward : Biases.None,
        };
}
