using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Hugging Face config.json of the model types of <see cref="ModelFamily"/>. Absent keys take that library's defaults, and what
/// becomes of every key is in <see cref="HuggingFaceKeys"/>: what would change the mathematics beyond what the engine computes is a fault.
/// </summary>
internal static class HuggingFaceConfig
{
    private const double DefaultDeviation = 0.02;
    private const int MostKeysTold = 8;

    /// <summary>Whether the file means to be of this format.</summary>
    public static bool Recognises(JsonFields fields) =>
        fields.Has("model_type") || fields.Has("architectures") || fields.Has("hidden_size");

    /// <summary>
    /// The config as the file gives it, not yet checked; what could not be read is in the fields' faults. Null if the model's type is not
    /// supported: its other keys are not read, as they may mean something else.
    /// </summary>
    public static ModelReading? Read(JsonFields fields, string name)
    {
        string source = Fp8Weights.WithoutKey(fields);
        if (HuggingFaceWrapper.TextOf(fields) is not { } text)
        {
            return ReadText(fields, name, source);
        }

        var read = ReadText(text, name, source);
        fields.Faults.AddRange(text.Faults);
        return read;
    }

    private static ModelReading? ReadText(JsonFields fields, string name, string source)
    {
        if (Family(fields) is not { } family)
        {
            return null;
        }

        var unknown = new List<string>();
        RefuseOtherMathematics(fields, family);
        fields = fields.Renamed(family.OwnNames);
        int layers = family.LayerCount(fields);
        int vocabulary = fields.Int("vocab_size");
        int modelDim = fields.Int("hidden_size");
        int heads = fields.Int("num_attention_heads");
        int headDim = fields.Has("head_dim") ? fields.Int("head_dim") : family.HeadDim ?? DefaultHeadDim(fields, modelDim, heads);
        int ffnDim = family.FfnDim(fields, modelDim);
        var positions = HuggingFaceRope.Read(fields, family, unknown);
        var config = new ModelConfig
        {
            Name = name,
            Origin = new ModelOrigin(family.Type, source, fields.Double("initializer_range", DefaultDeviation)),
            VocabSize = vocabulary,
            ModelDim = modelDim,
            LayerCount = layers,
            HeadCount = heads,
            KvHeadCount = fields.Int("num_key_value_heads", absent: DefaultKvHeads(fields, family, heads)),
            HeadDim = headDim,
            FfnDim = ffnDim,
            Pattern = HuggingFaceLayers.Pattern(fields, family, layers, ffnDim, positions),
            RopeTheta = positions.Positions.Theta,
            RopeScaling = positions.Positions.Scaling,
            RotaryDims = RotaryDims(fields, positions.Part ?? family.RotaryPart ?? 1, headDim),
            RmsNormEps = (float)fields.Double(family.EpsKey, family.Eps),
            TiedEmbedding = fields.Bool("tie_word_embeddings", absent: family.Tied),
            Activation = HuggingFaceActivations.Read(fields, family),
            MaxPositions = fields.Has("max_position_embeddings") ? fields.Int("max_position_embeddings") : null,
            PaddingId = PaddingId(fields, vocabulary),
        };
        if (config.Pattern is { HasExperts: true } pattern)
        {
            // What intermediate_size says may be of no layer at all.
            config = config with
            {
                FfnDim = pattern.Kinds.Max(k => k.WidestFfn),
                BalanceWeight = ExpertKeys.BalanceWeight(fields, family),
            };
        }

        CheckFactors(fields, config);
        return new ModelReading(family.Complete(config, fields), [.. Notes(fields, family, unknown)], [.. Dropouts(fields, family)]);
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
        nameof(ModelConfig.Pattern) => "layer_types",
        nameof(ModelConfig.MaxPositions) => "max_position_embeddings",
        nameof(ModelConfig.Name) => "the file's name",
        _ => throw new ArgumentOutOfRangeException(nameof(property), property, "not a key of this format"),
    };

    /// <summary>A config of Llama, or of Qwen3 if queries and keys are normed; reading it back gives the same dimensions.</summary>
    public static void Write(Utf8JsonWriter json, ModelConfig config)
    {
        ModelFamily family = config.QkNorm ? ModelFamily.Of("qwen3") : ModelFamily.Of("llama");
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue(family.Architecture);
        json.WriteEndArray();
        json.WriteString("model_type", family.Type);
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
        if (config.MaxPositions is { } positions)
        {
            json.WriteNumber("max_position_embeddings", positions);
        }

        if (config.PaddingId is { } padding)
        {
            json.WriteNumber("pad_token_id", padding);
        }

        json.WriteEndObject();
    }

    private static ModelFamily? Family(JsonFields fields)
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

        // The first Llama files spelt it LLaMAForCausalLM.
        bool Has(ModelFamily family) => architectures.Contains(family.Architecture, StringComparer.OrdinalIgnoreCase);
        string? type = fields.Text("model_type");
        var found = type is null ? ModelFamily.All.FirstOrDefault(Has) : ModelFamily.Find(type);
        if (found is null)
        {
            string what = type ?? (architectures.Length > 0 ? string.Join(", ", architectures) : "unknown");
            fields.Faults.Add(
                $"model type {what} is not supported (these are: {string.Join(", ", ModelFamily.All.Select(f => f.Type))})"
            );
        }
        else if (architectures.Length > 0 && !Has(found))
        {
            fields.Faults.Add(
                $"architecture {string.Join(", ", architectures)} is not supported (of {found.Type}, {found.Architecture} is)"
            );
        }

        return found;
    }

    /// <summary>Null is no number to that library, and more of them than query heads can share is no model to it.</summary>
    private static int DefaultKvHeads(JsonFields fields, ModelFamily family, int heads) =>
        family.KvHeads is { } own && !fields.IsNull("num_key_value_heads") && heads % own == 0 ? own : heads;

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

    /// <summary>As that library numbers rows: from the end if negative.</summary>
    private static int? PaddingId(JsonFields fields, int vocabulary)
    {
        if (
            !fields.Has("pad_token_id")
            || fields.Int("pad_token_id") is var id && (id == ModelConfigLimits.Unknown || vocabulary == ModelConfigLimits.Unknown)
        )
        {
            return null;
        }

        if (id >= vocabulary || id < -(long)vocabulary)
        {
            fields.Faults.Add($"pad_token_id is {id}, and vocab_size {vocabulary} has no such row");
            return null;
        }

        return id < 0 ? id + vocabulary : id;
    }

    /// <summary>Dimensions of a head that are rotated; null: all.</summary>
    private static int? RotaryDims(JsonFields fields, double part, int headDim)
    {
        int dims = (int)(headDim * part);
        if (part != 1 && headDim > 0 && (part is <= 0 or > 1 || dims < 2 || dims % 2 != 0))
        {
            fields.Faults.Add($"partial_rotary_factor is {part}, of which heads of {headDim} have no even number of dimensions to rotate");
        }

        return dims == headDim ? null : dims;
    }

    private static void CheckFactors(JsonFields fields, ModelConfig config)
    {
        int pairs = (config.RotaryDims ?? config.HeadDim) / 2;
        foreach (var list in new[] { config.RopeScaling?.ShortFactors, config.RopeScaling?.LongFactors }.OfType<FactorList>())
        {
            if (config.HeadDim > 0 && list.Values.Length > 0 && list.Values.Length != pairs)
            {
                fields.Faults.Add(
                    $"a list of factors of positions has {list.Values.Length}, and heads have {pairs} pairs that are rotated");
            }
        }
    }

    private static void RefuseOtherMathematics(JsonFields fields, ModelFamily family)
    {
        foreach (string key in fields.Keys)
        {
            if (fields.Find(key) is { } value && family.Use(key) is KeyUse.RefusedUnless rule && !rule.Allows(value))
            {
                fields.Faults.Add($"{key} is {Shown(value, rule)}, and {rule.Reason}");
            }
        }

        // Where null is no default of that library's, it cannot be taken for one.
        string[] needed = [family.ActivationKey, family.EpsKey, .. family.HeadDim is null ? Array.Empty<string>() : ["head_dim"]];
        foreach (string key in needed.Where(fields.IsNull))
        {
            fields.Faults.Add($"{key} is null, and {family.Type} models need a value or no such key");
        }
    }

    private static IEnumerable<string> Notes(JsonFields fields, ModelFamily family, List<string> unknown)
    {
        // A value of null says that there is none of it.
        unknown.AddRange(fields.Keys.Where(key => fields.Has(key) && family.Use(key) is null or KeyUse.OfOthers));
        if (unknown.Count > 0)
        {
            string keys = string.Join(", ", unknown.Take(MostKeysTold).Select(JsonFields.QuoteKey));
            string more = unknown.Count > MostKeysTold ? $" and {unknown.Count - MostKeysTold} more" : "";
            yield return $"keys that no {family.Type} model has are not read: {keys}{more}";
        }

        if (fields.Find(Fp8Weights.Key) is { ValueKind: not JsonValueKind.Null } quantisation)
        {
            yield return KeyUse.Quantisation.Note(quantisation);
        }
    }

    private static IEnumerable<string> Dropouts(JsonFields fields, ModelFamily family)
    {
        string[] set = [.. fields.Keys.Where(key => family.Use(key) is KeyUse.Dropout && fields.Has(key) && fields.Double(key) != 0)];
        if (set.Length > 0)
        {
            yield return $"{string.Join(", ", set.Select(key => $"{key} is {JsonFields.Quote(fields.Find(key)!.Value)}"))}, and training "
                + $"is without dropout";
        }
    }

    private static string Shown(JsonElement value, KeyUse.RefusedUnless rule) => value.ValueKind switch
    {
        JsonValueKind.Object or JsonValueKind.Array => "set",
        JsonValueKind.String when rule.Neutral is [['"', ..], ..] => JsonFields.Quote(value).Trim('"'), // a word among words
        _ => JsonFields.Quote(value),
    };
}
