using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The adapter that a model has: a new one, or one that was saved, of which the training goes on.</summary>
public sealed record AdapterOptions
{
    /// <summary>
    /// A folder with adapter_config.json and adapter_model.safetensors, as PEFT and this engine write them, or a run's folder of
    /// checkpoints; null: a new adapter.
    /// </summary>
    public string? Folder { get; init; }

    /// <summary>What a new one is of; null where there is a folder.</summary>
    public AdapterConfig? Config { get; init; }

    /// <summary>What it is of.</summary>
    /// <exception cref="UserErrorException">The folder is none, or both or neither were given.</exception>
    internal AdapterConfig Resolved =>
        (Place, Config) switch
        {
            (not null, not null) => throw new UserErrorException(
                "--adapter says what the adapter is of, and so do --lora options; leave out one of the two"
            ),
            ({ } folder, null) => AdapterFolder.ConfigOf(folder),
            (null, { } config) => config,
            _ => throw new UserErrorException("an adapter needs a folder or a config"),
        };

    /// <summary>The folder that holds it: of a run the newest checkpoint's.</summary>
    internal string? Place =>
        Folder is { } folder && !File.Exists(Path.Combine(folder, AdapterConfigFile.FileName)) && SavedIn(folder) is { } saved
            ? saved
            : Folder;

    private static string? SavedIn(string folder) =>
        Directory.Exists(folder) && Directory.EnumerateDirectories(folder, "step-*").Any() ? SavedRun.Find(folder).Checkpoint.Folder : null;
}
