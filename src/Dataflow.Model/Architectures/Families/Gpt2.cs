namespace Dataflow.Model;

/// <summary>GPT-2: learned positions, matrices stored [in, out], LayerNorm, biases, a tied head.</summary>
internal sealed class Gpt2 : ModelFamily
{
    private const int DefaultPositions = 1024;
    private const string ByLayer = "scale_attn_by_inverse_layer_idx";

    private static readonly Dictionary<string, string> s_keys = new()
    {
        ["hidden_size"] = "n_embd",
        ["num_hidden_layers"] = "n_layer",
        ["num_attention_heads"] = "n_head",
        ["intermediate_size"] = "n_inner",
        ["max_position_embeddings"] = "n_positions",
    };

    private static readonly DecoderNames s_names = new()
    {
        Embedding = "transformer.wte",
        Positions = "transformer.wpe",
        FinalNorm = "transformer.ln_f",
        Layer = "transformer.h.{layer}.",
        AttentionNorm = "ln_1",
        Qkv = "attn.c_attn",
        AttentionOut = "attn.c_proj",
        FfnNorm = "ln_2",
        Up = "mlp.c_fc",
        Down = "mlp.c_proj",
        Transposed = true,
    };

    /// <inheritdoc/>
    public override string Type => "gpt2";

    /// <inheritdoc/>
    public override string Architecture => "GPT2LMHeadModel";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> OwnNames => s_keys;

    /// <inheritdoc/>
    public override int? FfnDim(int modelDim) => modelDim is > 0 and < int.MaxValue / 4 ? 4 * modelDim : ModelConfigLimits.Unknown;

    /// <inheritdoc/>
    public override string EpsKey => "layer_norm_epsilon";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override string ActivationKey => "activation_function";

    /// <inheritdoc/>
    public override Activation Activation => Activation.GeluTanh;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("scale_attn_weights", ByLayer),
            ("n_ctx", new KeyUse.Ignored("n_positions is what is read")),
            ("reorder_and_upcast_attn", new KeyUse.Ignored("scores are computed in fp32 anyhow")),
            .. new[] { "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj" }
                .Select(key => (key, (KeyUse)new KeyUse.Ignored("of other heads"))),
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) => RotaryPositions.None;

    /// <inheritdoc/>
    public override LayerKind Complete(LayerKind kind, JsonFields fields, int layer) =>
        Scale(fields) is { } scale && fields.Bool(ByLayer, absent: false) ? kind with { AttentionScale = scale / (layer + 1) } : kind;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            MaxPositions = config.MaxPositions ?? DefaultPositions,
            LearnedPositions = config.MaxPositions ?? DefaultPositions,
            AttentionScale = fields.Bool("scale_attn_weights", absent: true) ? null : 1,
            Norm = NormKind.LayerWithBias,
            GatedFfn = false,
            Biases = Biases.Qkv | Biases.AttentionOut | Biases.FeedForward,
        };

    /// <summary>Of scores in the first layer; null where heads have no width, which is a fault of its own.</summary>
    private static double? Scale(JsonFields fields)
    {
        if (!fields.Bool("scale_attn_weights", absent: true))
        {
            return 1;
        }

        return fields.Has("hidden_size") && fields.Has("num_attention_heads")
            && fields.Int("hidden_size") is > 0 and var width && fields.Int("num_attention_heads") is > 0 and var heads
            ? 1 / Math.Sqrt(width / heads)
            : null;
    }
}
