using System.Collections.Immutable;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>What differs from layer to layer in configs: attention windows, and positions.</summary>
internal static class HuggingFaceLayers
{
    /// <summary>What is said of families whose layers all attend to all that came before.</summary>
    public const string FullOnly = "only full attention is supported";

    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";

    /// <summary>The pattern of a model's layers; null where they are alike and as the config says of all.</summary>
    /// <param name="fields">Of the file; they take up the faults.</param>
    /// <param name="family">Whose rules hold where layer_types does not say.</param>
    /// <param name="layers">How many there are.</param>
    /// <param name="ffnDim">Width of their feed-forwards.</param>
    /// <param name="positions">What the file says of rotation.</param>
    public static LayerPattern? Pattern(JsonFields fields, ModelFamily family, int layers, int ffnDim, RotaryReading positions)
    {
        string[]? types = Types(fields, family, layers);
        if (layers is < 1 or > ModelConfigLimits.LayerCount)
        {
            return null; // its own fault is reported
        }

        var kinds = ImmutableArray.CreateBuilder<LayerKind>(layers);
        for (int l = 0; l < layers; l++)
        {
            int? window = types is null ? family.WindowOf(fields, l) : types[l] == Sliding ? family.Window(fields) : null;
            var own = family.PositionsOf(fields, l, window, positions);
            var kind = new LayerKind(ffnDim, window, Positions: own == positions.Positions ? null : own);
            kinds.Add(family.Complete(kind, fields, l));
        }

        int period = 1;
        while (!Enumerable.Range(period, layers - period).All(l => kinds[l] == kinds[l - period]))
        {
            period++;
        }

        return period == 1 && kinds[0] == new LayerKind(ffnDim) ? null : new LayerPattern([.. kinds.Take(period)]);
    }

    /// <summary>layer_types, if given, wins over every rule; a layer count that is unknown is not compared.</summary>
    private static string[]? Types(JsonFields fields, ModelFamily family, int layers)
    {
        if (fields.Find("layer_types") is not { } types)
        {
            return null;
        }

        string[] known = [Full, .. family.HasWindows ? [Sliding] : Array.Empty<string>(), .. family.OtherLayerTypes];
        if (types.ValueKind != JsonValueKind.Array)
        {
            fields.Faults.Add($"layer_types must be a list of strings, found {JsonFields.Quote(types)}");
            return null;
        }

        if (
            types.EnumerateArray().FirstOrDefault(t => t.ValueKind != JsonValueKind.String || !known.Contains(t.GetString())) is
            { ValueKind: not JsonValueKind.Undefined } other
        )
        {
            string supported = known.Length > 1 ? $"{string.Join(" and ", known)} are supported" : FullOnly;
            fields.Faults.Add($"layer_types has {JsonFields.Quote(other)}, and {supported}");
            return null;
        }

        if (layers != ModelConfigLimits.Unknown && types.GetArrayLength() != layers)
        {
            fields.Faults.Add($"layer_types has {types.GetArrayLength()} entries, and num_hidden_layers is {layers}");
            return null;
        }

        return [.. types.EnumerateArray().Select(t => t.GetString()!)];
    }
}
