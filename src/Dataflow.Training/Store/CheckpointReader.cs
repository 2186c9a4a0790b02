using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The content of a checkpoint, checked as it is read: each file is read once, in order, and its checksum is computed on the way. Only
/// after
/// <see cref="Confirm()"/> is what was read known to be what was saved.
/// </summary>
internal sealed class CheckpointReader : IDisposable
{
    private const int PieceBytes = 1 << 22;

    private readonly StoredCheckpoint stored;
    private readonly Dictionary<CheckpointPart, (ReadOnlyFile File, Checkpoint Tensors)> opened = [];

    private CheckpointReader(StoredCheckpoint stored) => this.stored = stored;

    /// <summary>Its values; reads are in order or slow.</summary>
    public TrainingState State { get; private set; } = null!;

    /// <summary>Opens all files.</summary>
    /// <exception cref="DamagedCheckpointException">A file cannot be read, or is no file of tensors.</exception>
    /// <exception cref="UserErrorException">The tensors are another model's.</exception>
    public static CheckpointReader Open(StoredCheckpoint stored, ModelConfig model)
    {
        var reader = new CheckpointReader(stored);
        try
        {
            var recipe = Recipe.All.First(r => r.Name == stored.Progress.Recipe);
            var optimizer = Optimizer.Named(stored.Progress.Optimizer)!;
            var parts = CheckpointFiles.Parts(recipe, optimizer, stored.IsOfAdapter);
            foreach (var part in parts)
            {
                reader.Open(part);
            }

            IWeightSource[] sources = [.. parts.Select(part => reader.Fitting(part, model, optimizer, recipe))];
            int read = optimizer.TrainsAverage ? 1 : 0;
            reader.State = new TrainingState(recipe, optimizer, sources[read], sources[(read + 1)..])
            {
                Average = stored.State.Average,
            };
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Reads what is left of all files and holds their checksums against those that were saved.</summary>
    /// <exception cref="DamagedCheckpointException">A file is not as it was saved.</exception>
    public void Confirm()
    {
        foreach (var (part, (file, _)) in opened)
        {
            Confirm(file, stored.State.Files[part.FileName]);
        }
    }

    /// <summary>Reads one file of a folder to its end and checks it.</summary>
    /// <exception cref="DamagedCheckpointException">It is not as it was saved.</exception>
    public static void Confirm(string folder, string name, StoredFile expected)
    {
        try
        {
            using var file = ReadOnlyFile.OpenChecked(Path.Combine(folder, name));
            Confirm(file, expected);
        }
        catch (UserErrorException e) when (e is not DamagedCheckpointException)
        {
            throw new DamagedCheckpointException(e.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, tensors) in opened.Values)
        {
            tensors.Dispose();
        }
    }

    private static void Confirm(ReadOnlyFile file, StoredFile expected)
    {
        string? found;
        try
        {
            found = file.Length == expected.Length ? file.ChecksumToEnd(PieceBytes) : null;
        }
        catch (UserErrorException e)
        {
            throw new DamagedCheckpointException(e.Message);
        }

        if (found != expected.Checksum)
        {
            throw new DamagedCheckpointException($"{file.Path} is damaged: its checksum does not agree");
        }
    }

    /// <summary>A file that does not fit the model may be another model's, or damaged: its checksum tells.</summary>
    private IWeightSource Fitting(CheckpointPart part, ModelConfig model, Optimizer optimizer, Recipe recipe)
    {
        var (file, tensors) = opened[part];
        try
        {
            return part.Of(tensors, model, optimizer, recipe);
        }
        catch (UserErrorException)
        {
            Confirm(file, stored.State.Files[part.FileName]);
            throw;
        }
    }

    private void Open(CheckpointPart part)
    {
        try
        {
            var file = ReadOnlyFile.OpenChecked(Path.Combine(stored.Folder, part.FileName));
            opened[part] = (file, Checkpoint.Of(file));
        }
        catch (UserErrorException e)
        {
            throw new DamagedCheckpointException(e.Message);
        }
    }
}
