using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>Rotary positions as GGUF files have them, in the words of a config.</summary>
internal sealed class GgufPositions(
    GgufMetadata metadata, GgufFamily family, IReadOnlyDictionary<string, IReadOnlyList<float>> factors
)
{
    /// <summary>Of Llama 3: what each frequency is divided by.</summary>
    public const string Stretches = "rope_freqs.weight";

    /// <summary>Of Phi-3: the same, for sequences up to the original length.</summary>
    public const string ShortFactors = "rope_factors_short.weight";

    /// <summary>Likewise, for longer ones.</summary>
    public const string LongFactors = "rope_factors_long.weight";

    /// <summary>The names of all tensors that stretch positions.</summary>
    public static IReadOnlyList<string> Tensors { get; } = [Stretches, ShortFactors, LongFactors];

    /// <summary>Adds what the file says of positions.</summary>
    public void Complete(JsonObject config, int headDim)
    {
        float theta = (float)(metadata.Number(Key("rope.freq_base")) ?? (family.Name == "gemma3" ? 1_000_000 : 10_000));
        config["rope_theta"] = theta;
        CheckRotated(config, headDim);
        if (family.Name == "gemma3")
        {
            config["rope_local_base_freq"] = InWindows();
            config["sliding_window_pattern"] = family.WindowPeriod;
        }

        string type = metadata.Text(Key("rope.scaling.type")) ?? (Factor() > 1 ? "linear" : "none");
        var scaling = (factors.ContainsKey(LongFactors), factors.GetValueOrDefault(Stretches), type) switch
        {
            (true, _, _) => LongRope(config),
            (_, { } stretches, _) => Llama3(stretches, theta, headDim),
            (_, _, "linear") when Factor() > 1 => new JsonObject { ["rope_type"] = "linear", ["factor"] = Factor() },
            (_, _, "linear" or "none") => null,
            (_, _, "yarn") => Yarn(),
            _ => throw metadata.Wrong(Key("rope.scaling.type"), $"is {GgufHeader.Shown(type)}, and none, linear and yarn are known"),
        };
        if (scaling is not null && family.Name == "gemma3")
        {
            // A config of that family says it by kind of layer; layers with a window are never stretched.
            scaling["rope_theta"] = theta;
            config.Remove("rope_theta");
            config.Remove("rope_local_base_freq");
            config["rope_parameters"] = new JsonObject
            {
                ["full_attention"] = scaling,
                ["sliding_attention"] = new JsonObject { ["rope_type"] = "default", ["rope_theta"] = InWindows() },
            };
        }
        else
        {
            config["rope_scaling"] = scaling;
        }
    }

    private void CheckRotated(JsonObject config, int headDim)
    {
        int rotated = (int)(metadata.Whole(Key("rope.dimension_count")) ?? headDim);
        if (family.Name == "phi3" && rotated > 0 && rotated <= headDim)
        {
            config["partial_rotary_factor"] = (double)rotated / headDim;
        }
        else if (rotated != headDim)
        {
            throw metadata.Wrong(
                Key("rope.dimension_count"),
                $"is {rotated} of the {headDim} dimensions of a head, and all are turned in this architecture");
        }
    }

    // Readers suppose it; newer files may say another.
    private float InWindows() => (float)(metadata.Number(Key("rope.freq_base_swa")) ?? 10_000);

    private float Factor() => (float)(metadata.Number(Key("rope.scaling.factor")) ?? metadata.Number(Key("rope.scale_linear")) ?? 1);

    private JsonObject Yarn() => new()
    {
        ["rope_type"] = "yarn",
        ["factor"] = Factor(),
        ["original_max_position_embeddings"] = Original(),
    };

    private int Original() => (int)(metadata.Whole(Key("rope.scaling.original_context_length"))
        ?? throw metadata.Wrong(Key("rope.scaling.original_context_length"), "is missing, and stretched positions need it"));

    private JsonObject LongRope(JsonObject config)
    {
        int original = Original();
        config["original_max_position_embeddings"] = original;
        var scaling = new JsonObject
        {
            ["rope_type"] = "longrope",
            ["short_factor"] = List(factors[ShortFactors]),
            ["long_factor"] = List(factors[LongFactors]),
            ["original_max_position_embeddings"] = original,
        };
        double longer = config["max_position_embeddings"]!.GetValue<int>() / (double)original;
        double usual = longer > 1 ? Math.Sqrt(1 + (Math.Log(longer) / Math.Log(original))) : 1;
        if (metadata.Number(Key("rope.scaling.attn_factor")) is { } factor && (float)factor != (float)usual)
        {
            scaling["attention_factor"] = (float)factor;
        }

        return scaling;
    }

    private JsonObject Llama3(IReadOnlyList<float> stretches, float theta, int headDim)
    {
        int context = (int)(metadata.Whole(Key("context_length")) ?? 0);
        var found = Llama3Stretch.Find(stretches, theta, headDim, context)
            ?? throw metadata.Wrong(Stretches, "has factors that are not those of Llama 3, and no config can say them");
        return new JsonObject
        {
            ["rope_type"] = "llama3",
            ["factor"] = found.Factor,
            ["low_freq_factor"] = found.LowFrequencyFactor,
            ["high_freq_factor"] = found.HighFrequencyFactor,
            ["original_max_position_embeddings"] = found.OriginalPositions,
        };
    }

    private static JsonArray List(IReadOnlyList<float> numbers) => new([.. numbers.Select(n => (JsonNode)n)]);

    private string Key(string key) => $"{family.Name}.{key}";
}
