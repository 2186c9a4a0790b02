using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Which files of a repository the training of a language model can use.</summary>
internal static class HubSelection
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";
    private const int Deepest = 16;
    private static readonly Bytes s_largestIndex = new(64 << 20);

    private static readonly string[] s_small =
    [
        ModelFiles.ConfigName,
        "generation_config.json",
        "hf_quant_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "chat_template.jinja",
        "chat_template.json",
    ];

    /// <summary>
    /// The index that says which files the weights are in; null where they are in one. Where both forms are there the one file wins, as
    /// in other programs.
    /// </summary>
    public static string? IndexOf(Func<string, bool> isThere) => !isThere(Single) && isThere(Index) ? Index : null;

    /// <summary>What to take, in order, where the names of the weights' files are known.</summary>
    /// <param name="isThere">Whether the repository has a file.</param>
    /// <param name="shards">What the index names; null where there is none.</param>
    public static IReadOnlyList<string> Names(Func<string, bool> isThere, IReadOnlyList<string>? shards) =>
        [.. s_small.Where(isThere), .. shards is null ? [Single] : (IEnumerable<string>)[Index, .. shards]];

    /// <summary>Refuses a repository that holds no model that can be trained.</summary>
    /// <exception cref="UserErrorException">It lacks the config or the weights.</exception>
    public static void Require(string repository, IReadOnlyDictionary<string, HubFile> files)
    {
        if (!files.ContainsKey(ModelFiles.ConfigName))
        {
            throw new UserErrorException($"{repository} holds no {ModelFiles.ConfigName}: it is no model that can be trained");
        }

        if (!files.ContainsKey(Single) && !files.ContainsKey(Index))
        {
            throw new UserErrorException($"{repository} holds no {Single}: weights in other formats are not read"
                + (files.Keys.Any(f => f.StartsWith("pytorch_model", StringComparison.Ordinal)) ? " (it has pytorch_model.bin)" : ""));
        }
    }

    /// <summary>The files of an index, each once, in order.</summary>
    /// <param name="path">Where the index lies.</param>
    /// <exception cref="FailedException">It is none, or names what is no file's name.</exception>
    public static IReadOnlyList<string> Shards(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(InputFile.ReadBytes(path, s_largestIndex), new JsonDocumentOptions { MaxDepth = Deepest });
            string[] names =
            [
                .. json.RootElement.GetProperty("weight_map").EnumerateObject().Select(e => e.Value.GetString() ?? "")
                    .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
            ];
            return names.FirstOrDefault(n => !HubPaths.IsFit(n)) is { } bad
                    ? throw new FailedException($"{Index} names a file '{bad}', which is no path inside a repository")
                : names.Distinct(StringComparer.OrdinalIgnoreCase).Count() < names.Length
                    ? throw new FailedException($"{Index} names files that differ in capitals only, which not every disk tells apart")
                : names.Length == 0 ? throw new FailedException($"{Index} names no files")
                : names;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FailedException($"{Index} is no index of weights that can be read", e);
        }
    }
}
