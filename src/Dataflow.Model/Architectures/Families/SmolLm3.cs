using System.Text.Json;

namespace Dataflow.Model;

/// <summary>SmolLM3: every fourth layer has no positions.</summary>
internal sealed class SmolLm3 : ModelFamily
{
    /// <inheritdoc/>
    public override string Type => "smollm3";

    /// <inheritdoc/>
    public override string Architecture => "SmolLM3ForCausalLM";

    /// <inheritdoc/>
    public override int? KvHeads => 4;

    /// <inheritdoc/>
    public override double Theta => 2_000_000;

    /// <inheritdoc/>
    public override bool Tied => true;

    /// <inheritdoc/>
    public override int MaxPositions => 32768;

    /// <inheritdoc/>
    public override bool HasWindows => true;

    /// <inheritdoc/>
    protected override IEnumerable<(string Key, KeyUse Use)> Keys =>
        Reads("attention_bias", "mlp_bias", "no_rope_layers", "no_rope_layer_interval", "use_sliding_window");

    /// <summary>Only layers without positions have one.</summary>
    public override int? WindowOf(JsonFields fields, int layer) =>
        fields.Bool("use_sliding_window", absent: false) && fields.Has("sliding_window") && !HasPositions(fields, layer)
            ? Window(fields)
            : null;

    /// <inheritdoc/>
    public override RotaryPositions PositionsOf(JsonFields fields, int layer, int? window, RotaryReading read) =>
        HasPositions(fields, layer) ? read.Positions : RotaryPositions.None;

    /// <inheritdoc/>
    public override ModelConfig Complete(ModelConfig config, JsonFields fields)
    {
        if (
            fields.Find("no_rope_layers") is { } list
            && (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() != config.LayerCount || list.EnumerateArray().Any(Odd))
        )
        {
            fields.Faults.Add($"no_rope_layers must list a 1 or a 0 for each of num_hidden_layers, found {JsonFields.Quote(list)}");
        }

        return config with { Biases = LlamaBiases(fields) };
    }

    /// <summary>In the file, 1 means that a layer has positions, whatever the key's name says.</summary>
    private static bool HasPositions(JsonFields fields, int layer)
    {
        if (fields.Find("no_rope_layers") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0)
        {
            return layer >= list.GetArrayLength() || Odd(list[layer]) || list[layer].GetInt32() == 1;
        }

        int interval = fields.Int("no_rope_layer_interval", 4);
        return interval < 1 || (layer + 1) % interval != 0;
    }

    private static bool Odd(JsonElement value) =>
        value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out int n) || n is not (0 or 1);
}
