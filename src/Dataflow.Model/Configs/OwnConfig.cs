using System.Collections.Immutable;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>Our own config format: the field's names, nothing that a file need not say. models/README.md documents it.</summary>
internal static class OwnConfig
{
    private const string Softmax = "softmax";
    private const string Sigmoid = "sigmoid";

    // Spelling errors in optional keys would otherwise pass silently, so every other key is a fault.
    private static readonly string[] Keys =
    [
        "name", "vocab_size", "model_dim", "n_layers", "n_heads", "n_kv_heads", "head_dim", "ffn_dim", "rope_theta", "rms_norm_eps",
        "tied_embedding", "qk_norm", "n_experts", "layers",
    ];

    private static readonly string[] s_kindKeys =
        ["ffn_dim", "window", "ffn_apart", "frozen", "frozen_dtype", "shares_kv", "convolution", "experts"];

    private static readonly string[] s_expertKeys = ["count", "per_token", "dim", "score", "normalised", "scale", "gates_shared"];

    /// <summary>Whether the file means to be of this format.</summary>
    public static bool Recognises(JsonFields fields) => fields.Has("model_dim") || fields.Has("n_layers") || fields.Has("ffn_dim");

    /// <summary>The config as the file gives it, not yet checked; what could not be read is in the fields' faults.</summary>
    public static ModelConfig Read(JsonFields fields, string name)
    {
        foreach (string key in fields.Keys.Except(Keys))
        {
            fields.Faults.Add($"{key} is not a key of a config (these are: {string.Join(", ", Keys)})");
        }

        // Experts are said by layer; more than one here were refused before, and fewer mean nothing.
        if (fields.Int("n_experts", absent: 1) is not (1 or 0 or ModelConfigLimits.Unknown))
        {
            fields.Faults.Add("n_experts must be 1 or left out");
        }

        return new ModelConfig
        {
            Name = fields.Text("name") ?? name,
            VocabSize = fields.Int("vocab_size"),
            ModelDim = fields.Int("model_dim"),
            LayerCount = fields.Int("n_layers"),
            HeadCount = fields.Int("n_heads"),
            KvHeadCount = fields.Int("n_kv_heads"),
            HeadDim = fields.Int("head_dim"),
            FfnDim = fields.Int("ffn_dim"),
            Pattern = Pattern(fields),
            RopeTheta = fields.Double("rope_theta"),
            RmsNormEps = (float)fields.Double("rms_norm_eps"),
            TiedEmbedding = fields.Bool("tied_embedding", absent: false),
            QkNorm = fields.Bool("qk_norm", absent: false),
        };
    }

    /// <summary>What differs from layer to layer; null if the file says nothing of it.</summary>
    private static LayerPattern? Pattern(JsonFields fields)
    {
        if (fields.Find("layers") is not { } list)
        {
            return null;
        }

        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0 || !list.EnumerateArray().All(IsObject))
        {
            fields.Faults.Add($"layers must be a list of objects, found {JsonFields.Quote(list)}");
            return null;
        }

        var kinds = ImmutableArray.CreateBuilder<LayerKind>();
        foreach (var item in list.EnumerateArray())
        {
            var kind = new JsonFields(item);
            foreach (string key in kind.Keys.Except(s_kindKeys))
            {
                kind.Faults.Add($"{JsonFields.QuoteKey(key)} is not a key of a layer (these are: {string.Join(", ", s_kindKeys)})");
            }

            int? window = kind.Has("window") ? kind.Int("window") : null;
            bool apart = kind.Bool("ffn_apart", absent: false), frozen = kind.Bool("frozen", absent: false);
            kinds.Add(
                new LayerKind(kind.Int("ffn_dim"), window, apart, frozen, FrozenType(kind))
                {
                    SharesKv = kind.Bool("shares_kv", absent: false),
                    ConvolutionTaps = kind.Has("convolution") ? kind.Int("convolution") : null,
                    Experts = Experts(kind),
                }
            );
            fields.Faults.AddRange(kind.Faults.Select(f => $"layers: {f}"));
        }

        return new LayerPattern(kinds.ToImmutable());
    }

    private static ExpertMixture? Experts(JsonFields kind)
    {
        if (kind.Find("experts") is not { } value)
        {
            return null;
        }

        if (!IsObject(value))
        {
            kind.Faults.Add($"experts must be an object, found {JsonFields.Quote(value)}");
            return null;
        }

        var fields = new JsonFields(value);
        foreach (string key in fields.Keys.Except(s_expertKeys))
        {
            fields.Faults.Add($"{JsonFields.QuoteKey(key)} is not a key of experts (these are: {string.Join(", ", s_expertKeys)})");
        }

        string score = fields.Text("score") ?? Softmax;
        if (score is not (Softmax or Sigmoid))
        {
            fields.Faults.Add($"score must be {Softmax} or {Sigmoid}, found {score}");
        }

        var experts = new ExpertMixture(fields.Int("count"), fields.Int("per_token"), fields.Int("dim"))
        {
            Score = score == Sigmoid ? RouterScore.Sigmoid : RouterScore.Softmax,
            Normalised = fields.Bool("normalised", absent: false),
            Scale = fields.Double("scale", absent: 1),
            GatesShared = fields.Bool("gates_shared", absent: false),
        };
        kind.Faults.AddRange(fields.Faults);
        return experts;
    }

    private static void Write(Utf8JsonWriter json, ExpertMixture experts)
    {
        json.WriteStartObject("experts");
        json.WriteNumber("count", experts.Count);
        json.WriteNumber("per_token", experts.PerToken);
        json.WriteNumber("dim", experts.Dim);
        json.WriteString("score", experts.Score == RouterScore.Sigmoid ? Sigmoid : Softmax);
        json.WriteBoolean("normalised", experts.Normalised);
        json.WriteNumber("scale", experts.Scale);
        json.WriteBoolean("gates_shared", experts.GatesShared);
        json.WriteEndObject();
    }

    private static DType? FrozenType(JsonFields kind)
    {
        if (kind.Text("frozen_dtype") is not { } name)
        {
            return null;
        }

        foreach (var type in DTypes.OfFrozen)
        {
            if (type.Name() == name)
            {
                return type;
            }
        }

        string known = string.Join(" or ", DTypes.OfFrozen.Select(t => t.Name()));
        kind.Faults.Add($"frozen_dtype must be {known}, found {JsonFields.Quote(kind.Find("frozen_dtype")!.Value)}");
        return null;
    }

    private static bool IsObject(JsonElement element) => element.ValueKind == JsonValueKind.Object;

    /// <summary>This format's key of a property.</summary>
    public static string KeyOf(string property) => property switch
    {
        nameof(ModelConfig.VocabSize) => "vocab_size",
        nameof(ModelConfig.ModelDim) => "model_dim",
        nameof(ModelConfig.LayerCount) => "n_layers",
        nameof(ModelConfig.HeadCount) => "n_heads",
        nameof(ModelConfig.KvHeadCount) => "n_kv_heads",
        nameof(ModelConfig.HeadDim) => "head_dim",
        nameof(ModelConfig.FfnDim) => "ffn_dim",
        nameof(ModelConfig.Pattern) => "layers",
        nameof(ModelConfig.RopeTheta) => "rope_theta",
        nameof(ModelConfig.RmsNormEps) => "rms_norm_eps",
        nameof(ModelConfig.Name) => "name",
        _ => throw new ArgumentOutOfRangeException(nameof(property), property, "not a key of this format"),
    };

    /// <summary>The text of a config in this format.</summary>
    public static void Write(Utf8JsonWriter json, ModelConfig config)
    {
        json.WriteStartObject();
        json.WriteString("name", config.Name);
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("model_dim", config.ModelDim);
        json.WriteNumber("n_layers", config.LayerCount);
        json.WriteNumber("n_heads", config.HeadCount);
        json.WriteNumber("n_kv_heads", config.KvHeadCount);
        json.WriteNumber("head_dim", config.HeadDim);
        json.WriteNumber("ffn_dim", config.FfnDim);
        json.WriteNumber("rope_theta", config.RopeTheta);
        json.WriteNumber("rms_norm_eps", config.RmsNormEps);
        json.WriteBoolean("tied_embedding", config.TiedEmbedding);
        json.WriteBoolean("qk_norm", config.QkNorm);
        json.WriteNumber("n_experts", 1);
        if (config.Pattern is { } pattern)
        {
            json.WriteStartArray("layers");
            foreach (var kind in pattern.Kinds)
            {
                json.WriteStartObject();
                json.WriteNumber("ffn_dim", kind.FfnDim);
                if (kind.Window is { } window)
                {
                    json.WriteNumber("window", window);
                }

                if (kind.FfnApart)
                {
                    json.WriteBoolean("ffn_apart", true);
                }

                if (kind.Frozen)
                {
                    json.WriteBoolean("frozen", true);
                }

                if (kind.FrozenType is { } type)
                {
                    json.WriteString("frozen_dtype", type.Name());
                }

                if (kind.SharesKv)
                {
                    json.WriteBoolean("shares_kv", true);
                }

                if (kind.ConvolutionTaps is { } taps)
                {
                    json.WriteNumber("convolution", taps);
                }

                if (kind.Experts is { } experts)
                {
                    Write(json, experts);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
