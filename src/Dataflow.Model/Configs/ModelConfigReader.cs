using System.Text.Json;

namespace Dataflow.Model;

/// <summary>
/// Reads a model's dimensions from JSON text: our own format (models/README.md) or a Hugging Face config.json of a llama or qwen3
/// model, told apart by their keys. All faults of a file are reported in one <see cref="UserErrorException"/>.
/// </summary>
public static class ModelConfigReader
{
    /// <summary>The config in <paramref name="json"/>.</summary>
    /// <param name="json">The text of the file.</param>
    /// <param name="name">The model's name if the file gives none: usually the file's or folder's.</param>
    /// <param name="source">What messages call the text, for example its path; by default the name.</param>
    /// <exception cref="UserErrorException">The text is no config, or one that cannot be trained.</exception>
    public static ModelConfig Parse(string json, string name, string? source = null) => Read(json, name, source).Config;

    /// <summary>The config in <paramref name="json"/>, and what there is to say about it.</summary>
    /// <param name="json">The text of the file.</param>
    /// <param name="name">The model's name if the file gives none: usually the file's or folder's.</param>
    /// <param name="source">What messages call the text, for example its path; by default the name.</param>
    /// <exception cref="UserErrorException">The text is no config, or one that cannot be trained.</exception>
    public static ModelReading Read(string json, string name, string? source = null)
    {
        source ??= name;
        return JsonFields.Parse(json, source, "a model config", fields => Read(fields, name, source));
    }

    private static ModelReading Read(JsonFields fields, string name, string source)
    {
        bool huggingFace = HuggingFaceConfig.Recognises(fields);
        if (!huggingFace && !OwnConfig.Recognises(fields))
        {
            throw new UserErrorException(
                $"{source} is not a model config: it has neither the keys of a Hugging Face config.json (model_type, hidden_size, ...) "
                    + $"nor ours (model_dim, n_layers, ...; see models/README.md)"
            );
        }

        RefuseExperts(fields, source);
        var read = huggingFace ? HuggingFaceConfig.Read(fields, name) : new ModelReading(OwnConfig.Read(fields, name), [], []);
        fields.Faults.AddRange(
            read is null ? [] : ModelConfigLimits.Faults(read.Config, huggingFace ? HuggingFaceConfig.KeyOf : OwnConfig.KeyOf)
        );
        if (fields.Faults.Count > 0)
        {
            throw new UserErrorException($"{source} cannot be used: {string.Join("; ", fields.Faults.Distinct())}");
        }

        return read! with
        {
            Notes = [.. read.Notes.Select(n => $"{source}: {n}")],
            TrainingNotes = [.. read.TrainingNotes.Select(n => $"{source}: {n}")],
        };
    }

    /// <summary>Alone and first: the other faults of such a file would only distract.</summary>
    private static void RefuseExperts(JsonFields fields, string source)
    {
        // One expert of our own format is a dense feed-forward; the Hugging Face keys exist only in mixtures, of which some can be trained.
        var family = fields.Text("model_type") is { } type ? ModelFamily.Find(type) : null;
        foreach (var (key, most) in new[] { ("n_experts", 1), ("num_local_experts", 0), ("num_experts", 0), ("n_routed_experts", 0) })
        {
            bool isRead = family?.Use(key) is KeyUse.Read;
            if (!isRead && fields.Find(key) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out double count)
                && count > most)
            {
                string instead = key == "n_experts" ? "say the experts of each kind of layer in layers (models/README.md)"
                    : "not supported yet: choose a model with dense feed-forwards, or another mixture";
                throw new UserErrorException(
                    $"{source} is a mixture of experts ({key} is {JsonFields.Quote(value)}){(key == "n_experts" ? ": " : ", ")}{instead}"
                );
            }
        }
    }
}
