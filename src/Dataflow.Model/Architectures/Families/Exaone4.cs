using System.Text.Json;

namespace Dataflow.Model;

/// <summary>EXAONE 4: norms after attention and feed-forward and of each head; layers that see all have no positions.</summary>
internal sealed class Exaone4 : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "exaone4";

    /// <inheritdoc/>
    public override string Architecture => "Exaone4ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 32;

    /// <inheritdoc/>
    public override double Eps => 1e-5;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys => Reads("sliding_window_pattern");

    /// <summary>Every fourth layer sees all, and so does the last.</summary>
    public override int? WindowOf(JsonFields fields, int layer)
    {
        int every = fields.Find("sliding_window_pattern") is { ValueKind: JsonValueKind.Number } ? fields.Int("sliding_window_pattern") : 4;
        bool last = layer == fields.Int("num_hidden_layers", 32) - 1;
        return fields.IsNull("sliding_window") || last || every < 1 || (layer + 1) % every == 0 ? null : Window(fields);
    }

    /// <summary>Models without any window have positions everywhere.</summary>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        window is null && !fields.IsNull("sliding_window") ? RotaryPositions.None : read.Positions;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields) =>
        config with
        {
            Placement = NormPlacement.After,
            QkNorm = true,
        };
}
