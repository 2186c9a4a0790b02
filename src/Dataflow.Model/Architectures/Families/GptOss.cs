namespace Dataflow.Model;

/// <summary>
/// gpt-oss: experts with biases and clamped units in every layer, weighted by the softmax over the chosen ones; a sink in the softmax of
/// every head; windows in every second layer.
/// </summary>
internal sealed class GptOss : ModelFamily
{
    private static readonly DecoderNames s_names = new()
    {
        Router = "mlp.router",
        ExpertGateUp = "mlp.experts.gate_up_proj",
        ExpertDown = "mlp.experts.down_proj",
        ExpertsByColumn = true,
    };

    /// <inheritdoc/>
    public override string Type => "gpt_oss";

    /// <inheritdoc/>
    public override string Architecture => "GptOssForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 64;

    /// <inheritdoc/>
    public override int? KvHeads => 8;

    /// <inheritdoc/>
    public override double Theta => 150_000;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override double BalanceWeight => 0.9;

    /// <inheritdoc/>
    public override RotaryScaling? Scaling { get; } = new(RotaryScalingKind.Yarn, 32)
    {
        OriginalPositions = 4096,
        BetaFast = 32,
        BetaSlow = 1,
        Truncate = false,
        AttentionFactor = (0.1 * Math.Log(32)) + 1,
    };

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => 2880;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("num_local_experts", "num_experts", "num_experts_per_tok", "attention_bias", "swiglu_limit"),
            (Fp8Weights.Key, new KeyUse.Quantisation(HuggingFaceKeys.NoQuantisation, OfExperts: true)),
            ("swiglu_alpha", new KeyUse.RefusedUnless("units of experts have 1.702", "1.702")),
            ("experts_per_token", new KeyUse.Ignored("num_experts_per_tok is what is read")),
            ("initial_context_length", new KeyUse.Ignored("rope_scaling says it")),
            .. ExpertKeys.Balance,
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <summary>Where layer_types does not say: every second layer, from the first on.</summary>
    public override int? WindowOf(JsonFields fields, int layer) => layer % 2 == 0 ? Window(fields) : null;

    /// <inheritdoc/>
    public override int Window(JsonFields fields) => fields.Int("sliding_window", 128);

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        kind with
        {
            FfnDim = 0,
            Experts = new(
                ExpertKeys.Count(fields, 128, "num_local_experts", "num_experts"),
                fields.Int("num_experts_per_tok", absent: 4),
                kind.FfnDim)
            {
                Normalised = true,
                HasBiases = true,
            },
        };

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            AttentionSinks = true,
            UnitLimit = fields.Double("swiglu_limit", 7),
            Biases = fields.Bool("attention_bias", absent: true) ? Biases.Qkv | Biases.AttentionOut : Biases.None,
        };
}
