using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A key of a run file.</summary>
/// <param name="Name">That of an option without its dashes, or one of <see cref="RunFile.Blocks"/>.</param>
/// <param name="Value">A text, a list or a mapping of texts, lists and mappings; null where the file says nothing.</param>
/// <param name="Line">Of the key, from 1.</param>
public sealed record RunFileEntry(string Name, JsonNode? Value, int Line)
{
    /// <summary>The texts of a list or of one text; of a mapping "key=value" each.</summary>
    public IReadOnlyList<string> Texts => Value switch
    {
        null => [],
        JsonArray list => [.. list.Select(item => $"{item}")],
        JsonObject pairs => [.. pairs.Select(p => $"{p.Key}={p.Value}")],
        _ => [$"{Value}"],
    };
}

/// <summary>
/// A run as a file, in YAML or JSON: its keys are the names of the options of `dataflow train`, and `model`. What a value means is its
/// option's matter: all scalars are texts here.
/// </summary>
/// <param name="Path">As it was named.</param>
/// <param name="Entries">In the order of the file.</param>
public sealed record RunFile(string Path, IReadOnlyList<RunFileEntry> Entries)
{
    /// <summary>What a run's own file is called, in the folder that the run is saved in.</summary>
    public const string Name = "run.yaml";

    /// <summary>The key of the model.</summary>
    public const string ModelKey = "model";

    /// <summary>The block of what was recorded of the run that the file was saved with.</summary>
    public const string RecordedKey = "recorded";

    /// <summary>The block of what a recipe says of itself.</summary>
    public const string RecipeKey = "recipe";

    // A file that a person writes; a larger one is something else.
    private static readonly Bytes s_most = new(1 << 20);

    /// <summary>The keys that are no options.</summary>
    public static IReadOnlyList<string> Blocks { get; } = [RecordedKey, RecipeKey];

    /// <summary>What was recorded of the run that it was saved with; null: nothing.</summary>
    public JsonObject? Recorded => Block(RecordedKey);

    /// <summary>What it says of itself as a recipe; null: nothing.</summary>
    public JsonObject? Recipe => Block(RecipeKey);

    /// <summary>The settings: all but the blocks.</summary>
    public IEnumerable<RunFileEntry> Settings => Entries.Where(e => !Blocks.Contains(e.Name));

    /// <summary>Reads one.</summary>
    /// <exception cref="UserErrorException">It cannot be read, or is no mapping; with the line where one is at fault.</exception>
    public static RunFile Read(string path) => new(path, RunFileReader.Read(path, InputFile.ReadText(path, s_most)));

    /// <summary>
    /// Whether a path where a model is named is a run file in its place: by its ending, or, of JSON, by a key `model` or `resume`, which no
    /// config of a model has.
    /// </summary>
    public static bool IsOne(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        switch (System.IO.Path.GetExtension(path))
        {
            case ".yaml" or ".yml":
                return true;
            case ".json" when File.Exists(path):
                try
                {
                    return Read(path).Entries.Any(e => e.Name is ModelKey or "resume");
                }
                catch (UserErrorException)
                {
                    return false; // whoever reads models says what is wrong with it
                }

            default:
                return false;
        }
    }

    /// <summary>The text of a setting; null where it has none or several.</summary>
    /// <param name="name">Without dashes.</param>
    public string? TextOf(string name) => (Entries.FirstOrDefault(e => e.Name == name)?.Value as JsonValue)?.GetValue<string>();

    private JsonObject? Block(string name) => Entries.FirstOrDefault(e => e.Name == name)?.Value as JsonObject;
}
