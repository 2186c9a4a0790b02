using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Hugging Face config.json of model types llama and qwen3. Absent keys take that library's defaults for llama. Every key that
/// would change the mathematics beyond what the engine computes is a fault; keys without influence on training are ignored.
/// </summary>
internal static class HuggingFaceConfig
{
    private const double DefaultTheta = 10_000;
    private const double DefaultEps = 1e-6;

    /// <summary>Model types and the one architecture of each that has a language-model head.</summary>
    private static readonly (string Type, string Architecture)[] Supported = [("llama", "LlamaForCausalLM"), ("qwen3", "Qwen3ForCausalLM")];

    /// <summary>Whether the file means to be of this format.</summary>
    public static bool Recognises(JsonFields fields) => fields.Has("model_type") || fields.Has("architectures") || fields.Has("hidden_size");

    /// <summary>The config as the file gives it, not yet checked; what could not be read is in the fields' faults.</summary>
    public static ModelConfig Read(JsonFields fields, string name)
    {
        string type = ModelType(fields);
        RefuseOtherMathematics(fields);
        int modelDim = fields.Int("hidden_size");
        int heads = fields.Int("num_attention_heads");
        return new ModelConfig
        {
            Name = name,
            VocabSize = fields.Int("vocab_size"),
            ModelDim = modelDim,
            LayerCount = fields.Int("num_hidden_layers"),
            HeadCount = heads,
            KvHeadCount = fields.Int("num_key_value_heads", absent: heads),
            HeadDim = fields.Has("head_dim") ? fields.Int("head_dim") : DefaultHeadDim(fields, modelDim, heads),
            FfnDim = fields.Int("intermediate_size"),
            RopeTheta = Theta(fields),
            RmsNormEps = (float)fields.Double("rms_norm_eps", DefaultEps),
            TiedEmbedding = fields.Bool("tie_word_embeddings", absent: false),
            QkNorm = type == "qwen3",
        };
    }

    /// <summary>This format's key of a property.</summary>
    public static string KeyOf(string property) => property switch
    {
        nameof(ModelConfig.VocabSize) => "vocab_size",
        nameof(ModelConfig.ModelDim) => "hidden_size",
        nameof(ModelConfig.LayerCount) => "num_hidden_layers",
        nameof(ModelConfig.HeadCount) => "num_attention_heads",
        nameof(ModelConfig.KvHeadCount) => "num_key_value_heads",
        nameof(ModelConfig.HeadDim) => "head_dim",
        nameof(ModelConfig.FfnDim) => "intermediate_size",
        nameof(ModelConfig.RopeTheta) => "rope_theta",
        nameof(ModelConfig.RmsNormEps) => "rms_norm_eps",
        nameof(ModelConfig.Name) => "the file's name",
        _ => throw new ArgumentOutOfRangeException(nameof(property), property, "not a key of this format"),
    };

    /// <summary>The text of a config in this format; reading it back gives the same dimensions.</summary>
    public static void Write(Utf8JsonWriter json, ModelConfig config)
    {
        var (type, architecture) = Supported.Single(s => s.Type == (config.QkNorm ? "qwen3" : "llama"));
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue(architecture);
        json.WriteEndArray();
        json.WriteString("model_type", type);
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.ModelDim);
        json.WriteNumber("num_hidden_layers", config.LayerCount);
        json.WriteNumber("num_attention_heads", config.HeadCount);
        json.WriteNumber("num_key_value_heads", config.KvHeadCount);
        json.WriteNumber("head_dim", config.HeadDim);
        json.WriteNumber("intermediate_size", config.FfnDim);
        json.WriteNumber("rope_theta", config.RopeTheta);
        json.WriteNumber("rms_norm_eps", config.RmsNormEps);
        json.WriteBoolean("tie_word_embeddings", config.TiedEmbedding);
        json.WriteString("hidden_act", "silu");
        json.WriteBoolean("attention_bias", false);
        json.WriteBoolean("mlp_bias", false);
        json.WriteEndObject();
    }

    private static string ModelType(JsonFields fields)
    {
        string[] architectures = [];
        if (fields.Find("architectures") is { } value)
        {
            if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(a => a.ValueKind != JsonValueKind.String))
            {
                fields.Faults.Add($"architectures must be a list of strings, found {JsonFields.Quote(value)}");
            }
            else
            {
                architectures = [.. value.EnumerateArray().Select(a => a.GetString()!)];
            }
        }

        string type = fields.Text("model_type") ?? Supported.FirstOrDefault(s => architectures.Contains(s.Architecture)).Type ?? "unknown";
        var supported = Supported.FirstOrDefault(s => s.Type == type);
        if (supported.Type is null)
        {
            string found = type == "unknown" && architectures.Length > 0 ? string.Join(", ", architectures) : type;
            fields.Faults.Add($"model type {found} is not supported (these are: {string.Join(", ", Supported.Select(s => s.Type))})");
        }
        else if (architectures.Length > 0 && !architectures.Contains(supported.Architecture))
        {
            fields.Faults.Add($"architecture {string.Join(", ", architectures)} is not supported (of {type}, {supported.Architecture} is)");
        }

        return type;
    }

    private static int DefaultHeadDim(JsonFields fields, int modelDim, int heads)
    {
        if (modelDim < 1 || heads < 1)
        {
            return ModelConfigLimits.Unknown; // their own faults are reported
        }

        if (modelDim % heads != 0)
        {
            fields.Faults.Add($"head_dim is missing and hidden_size {modelDim} is not a multiple of num_attention_heads {heads}");
            return ModelConfigLimits.Unknown;
        }

        return modelDim / heads;
    }

    private static double Theta(JsonFields fields)
    {
        // Files written since 2025 nest it; where both exist, the nested one is what that library uses.
        if (fields.Nested("rope_parameters") is { } rope && rope.Has("rope_theta"))
        {
            double theta = rope.Double("rope_theta");
            fields.Faults.AddRange(rope.Faults);
            return theta;
        }

        return fields.Double("rope_theta", DefaultTheta);
    }

    private static void RefuseOtherMathematics(JsonFields fields)
    {
        foreach (string bias in new[] { "attention_bias", "mlp_bias" })
        {
            if (fields.Bool(bias, absent: false))
            {
                fields.Faults.Add($"{bias} is true, and biases are not supported");
            }
        }

        if (fields.Text("hidden_act") is { } activation && activation != "silu")
        {
            fields.Faults.Add($"hidden_act is {activation}, and only silu is supported");
        }

        foreach (string key in new[] { "rope_scaling", "rope_parameters" })
        {
            if (fields.Nested(key) is not { } rope)
            {
                continue;
            }

            string kind = rope.Text("rope_type") ?? rope.Text("type") ?? "default";
            fields.Faults.AddRange(rope.Faults.Select(fault => $"{key}: {fault}"));
            if (kind != "default")
            {
                fields.Faults.Add($"{key} is of type {kind}, and only plain rotary positions are supported");
            }
        }

        if (fields.Has("partial_rotary_factor") && fields.Double("partial_rotary_factor") < 1)
        {
            fields.Faults.Add("partial_rotary_factor is below 1, and only rotation of whole heads is supported");
        }

        if (fields.Bool("use_sliding_window", absent: false)
            || (fields.Find("layer_types") is { ValueKind: JsonValueKind.Array } types
                && types.EnumerateArray().Any(t => t.ValueKind != JsonValueKind.String || t.GetString() != "full_attention")))
        {
            fields.Faults.Add("some layers use sliding-window or other partial attention, and only full attention is supported");
        }

        if (fields.Has("quantization_config"))
        {
            fields.Faults.Add("quantization_config is set, and quantised weights cannot be trained");
        }
    }
}
