using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Model;

/// <summary>Configs of models that also see or hear: the text model's own config stands within, and is all that is trained.</summary>
internal static class HuggingFaceWrapper
{
    /// <summary>The wrapper's key of the text model's config.</summary>
    public const string TextKey = "text_config";

    // What a wrapper says for all that it holds.
    private static readonly string[] s_ofAll = [Fp8Weights.Key, "compression_config"];

    // By the wrapper's type: the text model's, where its config does not say one that is known.
    private static readonly Dictionary<string, string> s_textTypes = new()
    {
        ["gemma3"] = "gemma3_text",
        ["gemma4"] = "gemma4_text",
        ["mistral3"] = "mistral",
        ["qwen3_vl"] = "qwen3",
        ["qwen3_5"] = "qwen3_5_text",
        ["qwen3_5_moe"] = "qwen3_5_moe_text",
    };

    /// <summary>The text model's config, in the form of one that stands alone; null if the file is no wrapper that is known.</summary>
    public static JsonFields? TextOf(JsonFields fields)
    {
        if (
            fields.Find(TextKey) is not { ValueKind: JsonValueKind.Object } text
            || fields.Text("model_type") is not { } wrapper
            || !s_textTypes.TryGetValue(wrapper, out string? type)
        )
        {
            return null;
        }

        var alone = JsonObject.Create(text)!;
        string? own = new JsonFields(text).Text("model_type");
        alone["model_type"] = own is not null && ModelFamily.Find(own) is not null ? own : type;
        alone.Remove("architectures");

        // What the wrapper says of the head wins, as its own class ties it.
        if (fields.Find("tie_word_embeddings") is { } tied)
        {
            alone["tie_word_embeddings"] = JsonNode.Parse(tied.GetRawText());
        }

        foreach (string key in s_ofAll)
        {
            if (fields.Find(key) is { } value)
            {
                alone[key] = JsonNode.Parse(value.GetRawText());
            }
        }

        return new JsonFields(JsonElement.Parse(alone.ToJsonString()));
    }
}
