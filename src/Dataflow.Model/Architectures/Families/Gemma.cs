namespace Dataflow.Model;

/// <summary>Gemma 1: norms that multiply by 1 + w, embeddings times sqrt(hidden_size), a GELU gate.</summary>
internal class Gemma : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "gemma";

    /// <inheritdoc/>
    public override string Architecture => "GemmaForCausalLM";

    /// <inheritdoc/>
    public override int? HeadDim => 256;

    /// <inheritdoc/>
    public override int? KvHeads => 16;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 8192;

    /// <inheritdoc/>
    public override Activation Activation => Activation.GeluTanh;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("attention_bias"),
            ("hidden_activation", new KeyUse.Ignored("hidden_act is what is read")),
            ("use_bidirectional_attention", new KeyUse.RefusedUnless("only causal attention is supported", "false")),
        ];

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            NormWeightOffset = 1,
            EmbeddingScale = Math.Sqrt(config.ModelDim),
            Biases = LlamaBiases(fields),
        };
}

/// <summary>Gemma 2: norms before and after, bounded scores and logits, a window in every other layer.</summary>
internal class Gemma2 : Gemma
{
    private static readonly DecoderNames s_names = new()
    {
        FfnNorm = "pre_feedforward_layernorm",
        FfnPostNorm = "post_feedforward_layernorm",
    };

    /// <inheritdoc/>
    public override string Type => "gemma2";

    /// <inheritdoc/>
    public override string Architecture => "Gemma2ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 4;

    /// <inheritdoc/>
    public override string ActivationKey => "hidden_activation";

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <summary>Scores are bounded by this where the key is absent; null: by nothing.</summary>
    protected virtual double? AttentionSoftcap => 50;

    /// <summary>Logits likewise.</summary>
    protected virtual double? LogitSoftcap => 30;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar", "hidden_activation"),
            ("hidden_act", new KeyUse.Ignored("hidden_activation is what is read")),
            .. base.Keys,
        ];

    /// <inheritdoc/>
    public override DecoderNames Names(ModelConfig model) => s_names;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) =>
        layer % 2 == 0 && !fields.IsNull("sliding_window") ? Window(fields) : null;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        base.Complete(config, fields) with
        {
            Placement = NormPlacement.BeforeAndAfter,
            AttentionScale = Math.Pow(fields.Double("query_pre_attn_scalar", 256), -0.5),
            AttentionSoftcap = Softcap(fields, "attn_logit_softcapping", AttentionSoftcap),
            LogitSoftcap = Softcap(fields, "final_logit_softcapping", LogitSoftcap),
        };

    private static double? Softcap(JsonFields fields, string key, double? absent) =>
        fields.Has(key) ? fields.Double(key) : fields.IsNull(key) ? null : absent;
}

/// <summary>The text models of Gemma 3: norms of queries and keys, and other positions in layers with a window.</summary>
internal sealed class Gemma3 : Gemma2
{
    /// <inheritdoc/>
    public override string Type => "gemma3_text";

    /// <inheritdoc/>
    public override string Architecture => "Gemma3ForCausalLM";

    /// <inheritdoc/>
    public override double Theta => 1_000_000;

    /// <inheritdoc/>
    public override int MaxPositions => 131072;

    /// <inheritdoc/>
    public override bool PositionsByKind => true;

    /// <inheritdoc/>
    protected override double? AttentionSoftcap => null;

    /// <inheritdoc/>
    protected override double? LogitSoftcap => null;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("sliding_window_pattern", "rope_local_base_freq"),
            ("_sliding_window_pattern", new KeyUse.Ignored("that library does not read it: layer_types says which layers have windows")),
            .. base.Keys,
        ];

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer)
    {
        int every = fields.Int("sliding_window_pattern", 6);
        return fields.IsNull("sliding_window") || (every > 0 && (layer + 1) % every == 0) ? null : Window(fields);
    }

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        window is null ? read.Positions : read.InWindows ?? new RotaryPositions(fields.Double("rope_local_base_freq", 10_000));

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) => base.Complete(config, fields) with { QkNorm = true };
}
