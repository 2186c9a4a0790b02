using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>PEFT's adapter_config.json: from text and to text. What changes the mathematics and is not computed is refused.</summary>
public static class AdapterConfigFile
{
    /// <summary>Its name in the folder of an adapter.</summary>
    public const string FileName = "adapter_config.json";

    private const int MostRank = AdapterConfig.MostRank;

    private static readonly string[] s_read =
    [
        "r", "lora_alpha", "target_modules", "exclude_modules", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora",
        "layers_to_transform", "layers_pattern", "modules_to_save", "lora_dropout", "peft_type", "bias", "init_lora_weights",
        "target_parameters",
    ];

    // How it was made, how it is run elsewhere, or what follows from the model.
    private static readonly string[] s_ignored =
    [
        "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version", "fan_in_fan_out",
        "megatron_config", "megatron_core", "loftq_config", "eva_config", "lora_ga_config", "qalora_group_size", "runtime_config",
        "monteclora_config", "ensure_weight_tying",
    ];

    // What A and B are at first: in a folder they are no longer that. The others change the base's weights too.
    private static readonly string[] s_initial = ["gaussian", "orthogonal", "eva", "lora_ga"];

    /// <summary>The config in a text.</summary>
    /// <param name="json">Of the file.</param>
    /// <param name="source">What messages call it: its path.</param>
    /// <exception cref="UserErrorException">It is none, or one of an adapter that is not computed here.</exception>
    public static AdapterConfig Parse(string json, string source) =>
        JsonFields.Parse(json, source, "the config of an adapter", fields => Read(fields, source));

    /// <summary>The text of a file that PEFT reads.</summary>
    /// <param name="model">With the adapter.</param>
    /// <param name="baseModel">What its base model is called.</param>
    public static string Write(ModelConfig model, string baseModel) =>
        Text(
            indented: true,
            json =>
            {
                json.WriteString("base_model_name_or_path", baseModel);
                json.WriteString("bias", "none");
                json.WriteBoolean("fan_in_fan_out", model.Names.Transposed);
                json.WriteBoolean("inference_mode", true);
                json.WriteBoolean("init_lora_weights", true);
                json.WriteString("peft_type", "LORA");
                json.WriteString("task_type", "CAUSAL_LM");
                WriteAll(json, model.Adapter!.Config, all: true);
            }
        );

    /// <summary>What says something, in one line.</summary>
    internal static string Compact(AdapterConfig config) => Text(indented: false, json => WriteAll(json, config, all: false));

    private static AdapterConfig Read(JsonFields fields, string source)
    {
        if (fields.Text("peft_type") is { } type && type != "LORA")
        {
            throw new UserErrorException($"{source} is of an adapter of type {type}; LORA is the one that is supported");
        }

        Refuse(fields);
        int rank = fields.Int("r");
        var config = new AdapterConfig
        {
            Rank = rank,
            Alpha = fields.Double("lora_alpha"),
            Targets = Modules(fields, "target_modules") ?? ModuleNames.List([]),
            TargetParameters = [.. Strings(fields, "target_parameters")],
            Excluded = Modules(fields, "exclude_modules"),
            RankPattern = Numbers(fields, "rank_pattern"),
            AlphaPattern = Numbers(fields, "alpha_pattern"),
            UsesRsLora = fields.Bool("use_rslora", absent: false),
            UsesDora = fields.Bool("use_dora", absent: false),
            Layers = Layers(fields),
            LayersPattern = [.. Strings(fields, "layers_pattern")],
            ModulesToSave = [.. Strings(fields, "modules_to_save")],
            Dropout = fields.Double("lora_dropout", 0),
        };
        fields.Faults.AddRange(Faults(config, fields.Has("target_modules") || !config.TargetParameters.IsEmpty));
        return fields.Faults.Count == 0
            ? config
            : throw new UserErrorException($"{source} cannot be used: {string.Join("; ", fields.Faults.Distinct())}");
    }

    /// <summary>What is wrong with numbers and lists; empty: nothing.</summary>
    internal static IEnumerable<string> Faults(AdapterConfig config, bool hasTargets = true)
    {
        if (config.RankPattern.Select(p => p.Value).Prepend(config.Rank).FirstOrDefault(r => !(r is >= 1 and <= MostRank) || r % 1 != 0, 1)
            is var rank && !(rank is >= 1 and <= MostRank && rank % 1 == 0))
        {
            yield return $"a rank must be a whole number from 1 to {MostRank}, found {rank}";
        }

        if (!config.AlphaPattern.Select(p => p.Value).Append(config.Alpha).All(a => double.IsFinite(a) && a > 0))
        {
            yield return "lora_alpha must be a number above 0";
        }

        if (!(config.Dropout is >= 0 and < 1))
        {
            yield return $"lora_dropout must be from 0 to below 1, found {config.Dropout}";
        }

        if (!hasTargets || (config.Targets is { Pattern: null, Names.IsEmpty: true } && config.TargetParameters.IsEmpty))
        {
            yield return "target_modules must name modules";
        }

        if (config.Targets.Pattern is not null && !config.Layers.IsEmpty)
        {
            yield return "layers_to_transform takes target_modules that are a list, not one pattern";
        }

        if (config.Layers.IsEmpty && !config.LayersPattern.IsEmpty)
        {
            yield return "layers_pattern says nothing without layers_to_transform";
        }
    }

    private static void Refuse(JsonFields fields)
    {
        foreach (string key in fields.Keys.Except(s_read).Except(s_ignored))
        {
            if (fields.Find(key) is { } value && !IsNothing(value))
            {
                fields.Faults.Add($"{JsonFields.QuoteKey(key)} {JsonFields.Quote(value)} is not supported");
            }
        }

        if (fields.Text("bias") is { } bias && bias != "none")
        {
            fields.Faults.Add($"bias must be none, found {bias}: biases that are trained are not supported");
        }

        if (fields.Find("init_lora_weights") is { ValueKind: JsonValueKind.String } initial && !s_initial.Contains(initial.GetString()))
        {
            fields.Faults.Add($"init_lora_weights {JsonFields.Quote(initial)} is of an adapter to a changed base, which is not supported");
        }
    }

    private static bool IsNothing(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.False => true,
            JsonValueKind.Array => value.GetArrayLength() == 0,
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            JsonValueKind.String => value.GetString() is "",
            _ => false,
        };

    private static ModuleNames? Modules(JsonFields fields, string key) =>
        fields.Find(key) is { ValueKind: JsonValueKind.String } text ? ModuleNames.Matching(text.GetString()!)
        : fields.Has(key) && Strings(fields, key) is [_, ..] names ? ModuleNames.List(names)
        : null;

    private static List<string> Strings(JsonFields fields, string key)
    {
        if (fields.Find(key) is not { } value)
        {
            return [];
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString() is "" ? [] : [value.GetString()!];
        }

        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String))
        {
            return [.. value.EnumerateArray().Select(v => v.GetString()!)];
        }

        fields.Faults.Add($"{key} must be a list of names, found {JsonFields.Quote(value)}");
        return [];
    }

    private static ImmutableArray<int> Layers(JsonFields fields)
    {
        if (fields.Find("layers_to_transform") is not { } value)
        {
            return [];
        }

        JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        if (items.All(i => i.ValueKind == JsonValueKind.Number && i.TryGetInt32(out _)))
        {
            return [.. items.Select(i => i.GetInt32())];
        }

        fields.Faults.Add($"layers_to_transform must be numbers of layers, found {JsonFields.Quote(value)}");
        return [];
    }

    private static ImmutableArray<KeyValuePair<string, double>> Numbers(JsonFields fields, string key)
    {
        if (fields.Find(key) is not { } value)
        {
            return [];
        }

        if (value.ValueKind == JsonValueKind.Object && value.EnumerateObject().All(m => m.Value.ValueKind == JsonValueKind.Number))
        {
            return [.. value.EnumerateObject().Select(m => KeyValuePair.Create(m.Name, m.Value.GetDouble()))];
        }

        fields.Faults.Add($"{key} must be an object of numbers, found {JsonFields.Quote(value)}");
        return [];
    }

    private static string Text(bool indented, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions { Indented = indented, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteAll(Utf8JsonWriter json, AdapterConfig config, bool all)
    {
        json.WriteNumber("r", config.Rank);
        json.WriteNumber("lora_alpha", config.Alpha);
        Write(json, "target_modules", config.Targets);
        WriteList(json, "target_parameters", config.TargetParameters, json.WriteStringValue);
        Write(json, "exclude_modules", config.Excluded);
        Write(json, "rank_pattern", config.RankPattern, all);
        Write(json, "alpha_pattern", config.AlphaPattern, all);
        WriteList(json, "layers_to_transform", config.Layers, json.WriteNumberValue);
        WriteList(json, "layers_pattern", config.LayersPattern, json.WriteStringValue);
        WriteList(json, "modules_to_save", config.ModulesToSave, json.WriteStringValue);
        if (all || config.Dropout > 0)
        {
            json.WriteNumber("lora_dropout", config.Dropout);
        }

        foreach (var (key, value) in new[] { ("use_rslora", config.UsesRsLora), ("use_dora", config.UsesDora) })
        {
            if (all || value)
            {
                json.WriteBoolean(key, value);
            }
        }
    }

    private static void Write(Utf8JsonWriter json, string key, ModuleNames? modules)
    {
        if (modules?.Pattern is { } pattern)
        {
            json.WriteString(key, pattern);
        }
        else
        {
            WriteList(json, key, modules?.Names ?? [], json.WriteStringValue);
        }
    }

    private static void WriteList<T>(Utf8JsonWriter json, string key, ImmutableArray<T> items, Action<T> write)
    {
        if (!items.IsEmpty)
        {
            json.WriteStartArray(key);
            foreach (var item in items)
            {
                write(item);
            }

            json.WriteEndArray();
        }
    }

    private static void Write(Utf8JsonWriter json, string key, ImmutableArray<KeyValuePair<string, double>> numbers, bool all)
    {
        if (all || !numbers.IsEmpty)
        {
            json.WriteStartObject(key);
            foreach (var (pattern, value) in numbers)
            {
                json.WriteNumber(pattern, value);
            }

            json.WriteEndObject();
        }
    }
}
