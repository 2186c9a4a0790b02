namespace Dataflow.Model;

/// <summary>OLMo 2: norms after attention and feed-forward, and over all queries and all keys of a token.</summary>
internal class Olmo2 : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "olmo2";

    /// <inheritdoc/>
    public override string Architecture => "Olmo2ForCausalLM";

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("attention_bias");

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Placement = NormPlacement.After,
            QkNorm = true,
            QkNormKind = QkNormKind.Rows,
            Biases = LlamaBiases(fields),
        };
}

/// <summary>OLMo 3: the same with a window in three of four layers, whose positions nothing stretches.</summary>
internal sealed class Olmo3 : Olmo2
{
    /// <inheritdoc/>
    public override string Type => "olmo3";

    /// <inheritdoc/>
    public override string Architecture => "Olmo3ForCausalLM";

    /// <inheritdoc/>
    public override double Theta => 500_000;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    public override bool PositionsByKind => true;

    /// <inheritdoc/>
    public override int? WindowOf(JsonFields fields, int layer) =>
        (layer + 1) % 4 == 0 || fields.IsNull("sliding_window") ? null : Window(fields);

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        window is null ? read.Positions : read.InWindows ?? new RotaryPositions(Theta);
}
