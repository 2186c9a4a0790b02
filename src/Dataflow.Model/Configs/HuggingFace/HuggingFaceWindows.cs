using System.Text.Json;

namespace Dataflow.Model;

/// <summary>Refuses configs in which some layer does not attend to all that came before.</summary>
internal static class HuggingFaceWindows
{
    /// <summary>What is said of the others.</summary>
    public const string FullOnly = "only full attention is supported";

    // Qwen3's, where the keys are absent.
    private const int DefaultWindow = 4096;
    private const int DefaultWindowLayers = 28;

    /// <summary>
    /// layer_types, if given, wins over every rule; a layer count of <see cref="ModelConfigLimits.Unknown"/> is not compared.
    /// </summary>
    public static void Refuse(JsonFields fields, HuggingFaceFamily family, int layers)
    {
        if (fields.Find("layer_types") is { } types)
        {
            if (types.ValueKind != JsonValueKind.Array)
            {
                fields.Faults.Add($"layer_types must be a list of strings, found {JsonFields.Quote(types)}");
            }
            else if (
                types.EnumerateArray().FirstOrDefault(t => t.ValueKind != JsonValueKind.String || t.GetString() != "full_attention") is
                { ValueKind: not JsonValueKind.Undefined } other
            )
            {
                fields.Faults.Add($"layer_types has {JsonFields.Quote(other)}, and {FullOnly}");
            }
            else if (layers != ModelConfigLimits.Unknown && types.GetArrayLength() != layers)
            {
                fields.Faults.Add($"layer_types has {types.GetArrayLength()} entries, and num_hidden_layers is {layers}");
            }
        }
        else if (
            family.Windows == WindowRule.LastLayers
            && fields.Bool("use_sliding_window", absent: false)
            && !fields.IsNull("sliding_window")
        )
        {
            int first = fields.Int("max_window_layers", DefaultWindowLayers);
            int window = fields.Int("sliding_window", DefaultWindow);
            if (layers != ModelConfigLimits.Unknown && first < layers)
            {
                fields.Faults.Add(
                    $"use_sliding_window is true, which gives layers from {Math.Max(first, 0)} on a window of {window} tokens, and "
                        + $"{FullOnly}"
                );
            }
        }
    }
}
