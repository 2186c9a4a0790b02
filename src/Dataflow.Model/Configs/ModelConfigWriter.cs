using System.Text;
using System.Text.Json;

namespace Dataflow.Model;

/// <summary>Writes configs as JSON text that <see cref="ModelConfigReader"/> reads back to the same dimensions.</summary>
public static class ModelConfigWriter
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>In our own format, as in models/*.json.</summary>
    public static string Own(ModelConfig config) => Text(config, OwnConfig.Write);

    /// <summary>As a Hugging Face config.json (llama, or qwen3 if queries and keys are normed); the name is not part of it.</summary>
    public static string HuggingFace(ModelConfig config) => Text(config, HuggingFaceConfig.Write);

    /// <summary>
    /// As a model's folder holds it: as it was read, if it was of Hugging Face; else in that form, or, where it has no words for it (layers
    /// of several kinds), in our own format. What a run freezes, its adapter, what its base is stored in and the losses of its routers are
    /// the run's, and not said.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// It was changed after it was read, and is of a family that can only be written as it was read.
    /// </exception>
    public static string Stored(ModelConfig config)
    {
        config = config with { Frozen = null, Adapter = null, BaseWeights = null, AskedBalanceWeight = null, RouterZWeight = 0 };
        if (config.Origin.Source is { } source && ModelConfigReader.Parse(source, config.Name) == config)
        {
            return source + "\n";
        }

        string text = config.Pattern is null ? HuggingFace(config) : Own(config);
        return ModelConfigReader.Parse(text, config.Name) == config
            ? text
            : throw new InvalidOperationException($"the config of {config.Name} was changed and has no form in a file: change the file");
    }

    private static string Text(ModelConfig config, Action<Utf8JsonWriter, ModelConfig> write)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Indented))
        {
            write(json, config);
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }
}
