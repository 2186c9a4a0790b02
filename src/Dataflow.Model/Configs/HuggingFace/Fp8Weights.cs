using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Model;

/// <summary>
/// What the files of a model say whose weights are stored in fp8: the one quantisation that is read. Training and export are without it.
/// </summary>
public static class Fp8Weights
{
    /// <summary>The sentence for whoever uses such a model.</summary>
    public const string Note =
        "the weights are stored in fp8 and read as the numbers that they stand for; training and export are without quantisation";

    /// <summary>The config's key.</summary>
    internal const string Key = "quantization_config";

    private const string BlockKey = "weight_block_size";
    private static readonly JsonSerializerOptions s_likeTheFile =
        new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Rows and columns of the blocks that have a scale each, as a config.json gives them; null: it gives none.</summary>
    /// <param name="config">The text of the file; one that is no JSON gives none.</param>
    public static (long Rows, long Columns)? BlockOf(string config)
    {
        try
        {
            using var document = JsonDocument.Parse(config);
            var root = new JsonFields(document.RootElement);
            return Places(root).Select(p => p.Find(Key)).FirstOrDefault(q => q is not null) is { } value && IsFp8(value)
                ? Block(value)
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Whether a hf_quant_config.json, as ModelOpt writes it beside a config.json, says that weights are in fp8.</summary>
    /// <param name="text">Of the file.</param>
    public static bool IsModelOptFp8(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.GetProperty("quantization").GetProperty("quant_algo").ValueEquals("FP8");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Whether a quantization_config is of fp8, in blocks or with one scale for each tensor.</summary>
    internal static bool IsFp8(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
        && value.TryGetProperty("quant_method", out var method)
        && method.ValueKind == JsonValueKind.String
        && method.ValueEquals("fp8")
        && (!new JsonFields(value).Has(BlockKey) || Block(value) is not null);

    /// <summary>The config's text without the key: what is written in other types would be misread with it.</summary>
    internal static string WithoutKey(JsonFields fields)
    {
        if (!Places(fields).Any(p => p.Has(Key)))
        {
            return fields.Text();
        }

        var config = JsonNode.Parse(fields.Text())!.AsObject();
        config.Remove(Key);
        (config[HuggingFaceWrapper.TextKey] as JsonObject)?.Remove(Key);
        return config.ToJsonString(s_likeTheFile);
    }

    /// <summary>Where the key may stand: in the config, or in the text model's within it.</summary>
    private static IEnumerable<JsonFields> Places(JsonFields fields)
    {
        yield return fields;
        if (fields.Find(HuggingFaceWrapper.TextKey) is { ValueKind: JsonValueKind.Object } text)
        {
            yield return new JsonFields(text);
        }
    }

    private static (long Rows, long Columns)? Block(JsonElement value) =>
        new JsonFields(value).Find(BlockKey) is { ValueKind: JsonValueKind.Array } block
        && block.GetArrayLength() == 2
        && Size(block[0]) is { } rows
        && Size(block[1]) is { } columns
            ? (rows, columns)
            : null;

    private static long? Size(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size > 0 ? size : null;
}
