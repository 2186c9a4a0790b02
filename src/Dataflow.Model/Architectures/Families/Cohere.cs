namespace Dataflow.Model;

/// <summary>Command R: one LayerNorm without bias for attention and feed-forward side by side, neighbouring components rotated.</summary>
internal class Cohere : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "cohere";

    /// <inheritdoc/>
    public override string Architecture => "CohereForCausalLM";

    /// <inheritdoc/>
    public override string EpsKey => "layer_norm_eps";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 8192;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("attention_bias", "logit_scale", "use_qk_norm"),
        ];

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Norm = NormKind.Layer,
            Placement = NormPlacement.ParallelShared,
            RotatesNeighbours = true,
            QkNorm = fields.Bool("use_qk_norm", absent: false),
            QkNormKind = QkNormKind.HeadsCentred,
            LogitScale = fields.Double("logit_scale", 0.0625),
            Biases = LlamaBiases(fields),
        };
}

/// <summary>Command R7B and A: windows, and layers that see all without positions.</summary>
internal sealed class Cohere2 : Cohere
{
    /// <inheritdoc/>
    public override string Type => "cohere2";

    /// <inheritdoc/>
    public override string Architecture => "Cohere2ForCausalLM";

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        [
            .. Reads("sliding_window_pattern"),
            ("_sliding_window_pattern", new KeyUse.Ignored("layer_types says which layers have windows")),
            .. base.Keys,
        ];

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer)
    {
        int every = fields.Int("sliding_window_pattern", 4);
        return fields.IsNull("sliding_window") || (every > 0 && (layer + 1) % every == 0) ? null : Window(fields);
    }

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        window is null ? RotaryPositions.None : read.Positions;
}
