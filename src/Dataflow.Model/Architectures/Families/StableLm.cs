namespace Dataflow.Model;

/// <summary>StableLM: Llama with LayerNorm, a quarter of each head rotated.</summary>
internal sealed class StableLm : ModelFamily
{
    private static readonly DecoderNames s_names = new()
    {
        QueryNorm = "self_attn.q_layernorm.norms.{head}",
        KeyNorm = "self_attn.k_layernorm.norms.{head}",
    };

    /// <inheritdoc/>
    public override string Type => "stablelm";

    /// <inheritdoc/>
    public override string Architecture => "StableLmForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 32;

    /// <inheritdoc/>
    public override string EpsKey => "layer_norm_eps";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 4096;

    /// <inheritdoc/>
    public override double? RotaryPart => 0.25;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("use_qkv_bias", "use_parallel_residual", "qk_layernorm"),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Norm = NormKind.LayerWithBias,
            QkNorm = fields.Bool("qk_layernorm", absent: false),
            QkNormKind = QkNormKind.HeadsCentred,
            Placement = fields.Bool("use_parallel_residual", absent: false) ? NormPlacement.ParallelShared : NormPlacement.Before,
            Biases = fields.Bool("use_qkv_bias", absent: false) ? Biases.Qkv : Biases.None,
        };
}
