using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A complete checkpoint on the disk.</summary>
public sealed class StoredCheckpoint
{
    internal StoredCheckpoint(string folder, CheckpointState state)
    {
        Folder = folder;
        State = state;
    }

    /// <summary>Its own folder, "DIR/step-00000010": a model's folder too.</summary>
    public string Folder { get; }

    /// <summary>Where the run was.</summary>
    public TrainingProgress Progress => State.Progress;

    /// <summary>Of which types its numbers are.</summary>
    public Recipe Recipe => Recipe.All.First(r => r.Name == State.Recipe);

    /// <summary>The validation loss that was given when it was saved.</summary>
    public double? Score => State.Score;

    /// <summary>Whether all weights and moments are finite. One that is not is only gone on with if it is named itself.</summary>
    public bool IsFinite => State.NotFinite.Count == 0;

    /// <summary>Bytes of its files, state.json excluded.</summary>
    public Bytes Size => new(State.Files.Values.Sum(f => f.Length));

    /// <summary>The folder that it is in, for saving on beside it.</summary>
    public string Parent => Path.GetDirectoryName(Path.GetFullPath(Folder))!;

    /// <summary>
    /// The file with the weights as training left them: their moving average where one was kept, master weights where the recipe has
    /// them; it is read once to see that it is as it was saved.
    /// </summary>
    /// <exception cref="UserErrorException">It is damaged.</exception>
    public string CheckedWeights()
    {
        string[] finest = State.Average is null ? [StatePart.Average, StatePart.MasterWeights] : [];
        string name = finest.Select(part => part + ".safetensors").FirstOrDefault(State.Files.ContainsKey)
            ?? RunTensors.FileName(IsOfAdapter);
        CheckpointReader.Confirm(Folder, name, State.Files[name]);
        return Path.Combine(Folder, name);
    }

    /// <summary>It holds an adapter; its base is elsewhere.</summary>
    public bool IsOfAdapter => State.Files.ContainsKey(AdapterFolder.WeightsName);

    /// <summary>What state.json says.</summary>
    internal CheckpointState State { get; }

    /// <summary>Its name, if the engine would have called it so.</summary>
    internal CheckpointName? Name => CheckpointName.Parse(Path.GetFileName(Folder));

    /// <summary>
    /// Reads a checkpoint's description and holds the folder against it: the names and lengths of all files and the content of config.json.
    /// The tensors' content is checked as it is loaded (<see cref="CheckpointReader"/>).
    /// </summary>
    /// <exception cref="UserErrorException">It is not what was saved.</exception>
    internal static StoredCheckpoint Read(string folder)
    {
        var state = CheckpointState.Read(folder);
        var recipe = Recipe.All.First(r => r.Name == state.Recipe);
        var optimizer = Optimizer.Named(state.Optimizer)!;
        bool ofAdapter = new StoredCheckpoint(folder, state).IsOfAdapter;
        string[] expected = [.. CheckpointFiles.Names(recipe, optimizer, ofAdapter).Order(StringComparer.Ordinal)];
        if (!state.Files.Keys.Order(StringComparer.Ordinal).SequenceEqual(expected))
        {
            throw new DamagedCheckpointException($"{folder} lists other files than a run with {recipe.Name} has");
        }

        try
        {
            Hold(folder, state, expected);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw new DamagedCheckpointException(FileErrors.Unreadable(folder, e).Message);
        }

        return new StoredCheckpoint(folder, state);
    }

    private static void Hold(string folder, CheckpointState state, string[] expected)
    {
        string? extra = Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal)
            .FirstOrDefault(name => name != CheckpointFiles.State && !expected.Contains(name));
        if (extra is not null)
        {
            throw new DamagedCheckpointException($"{folder} holds {extra}, which was not saved with it");
        }

        foreach (var (name, file) in state.Files)
        {
            var info = new FileInfo(Path.Combine(folder, name));
            if (!info.Exists)
            {
                throw new DamagedCheckpointException($"{info.FullName} is missing");
            }

            if (info.Length != file.Length)
            {
                throw new DamagedCheckpointException($"{info.FullName} has {info.Length} bytes instead of {file.Length}");
            }
        }

        foreach (string config in expected.Where(name => name is ModelFiles.ConfigName or AdapterConfigFile.FileName))
        {
            CheckpointReader.Confirm(folder, config, state.Files[config]);
        }
    }
}
