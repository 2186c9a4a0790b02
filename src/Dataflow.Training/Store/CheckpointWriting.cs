using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Writes one checkpoint: files into a hidden folder, each flushed, state.json with the checksums of the others last; then the folder gets
/// its name, which is decided by what was found in the values.
/// </summary>
internal sealed class CheckpointWriting(IDisk disk, string folder)
{
    /// <summary>Bytes of all files, to the byte.</summary>
    public static Bytes Size(ModelConfig model, Recipe recipe, TrainingProgress progress)
    {
        var files = CheckpointFiles.Lengths(model, recipe, Optimizer.Named(progress.Optimizer)!)
            .ToDictionary(f => f.Name, f => new StoredFile(f.Length.Value, FileChecksum.Of([])));
        var state = CheckpointState.Of(new CheckpointName(progress.Step, IsFinite: true), progress, null, [], files) with
        {
            Average = Optimizer.Named(progress.Optimizer)!.TrainsAverage ? default(WeightAverage) : null,
        };
        return new Bytes(files.Values.Sum(f => f.Length) + state.Write().Length);
    }

    /// <summary>Writes it. What was there before is not touched, whatever happens.</summary>
    /// <exception cref="SaveFailedException">It cannot be written.</exception>
    /// <exception cref="OperationCanceledException">That was asked for.</exception>
    public StoredCheckpoint Write(TrainingState state, TrainingProgress progress, double? score, CancellationToken cancel)
    {
        var name = new CheckpointName(progress.Step, IsFinite: true);
        string partial = Path.Combine(folder, UnfinishedFolder.Partial(name));
        try
        {
            RequireRoom(Size(state.Model, state.Recipe, progress));
            Abandon(partial); // of a save that failed before, where even removing it failed
            disk.CreateFolder(partial);
            var files = new Dictionary<string, StoredFile>();
            var notFinite = new List<string>();
            foreach (var (config, content) in CheckpointFiles.Configs(state.Model))
            {
                WriteFile(partial, config, content);
                files[config] = new StoredFile(content.Length, FileChecksum.Of(content));
            }

            foreach (var part in CheckpointFiles.Parts(state.Recipe, state.Optimizer, state.Model.Adapter is not null))
            {
                files[part.FileName] = WriteTensors(partial, part, state, notFinite, cancel);
            }

            name = Free(name with { IsFinite = notFinite.Count == 0 });
            var description = CheckpointState.Of(name, progress, score, notFinite, files) with { Average = state.Average };
            WriteFile(partial, CheckpointFiles.State, description.Write());
            string final = Path.Combine(folder, name.ToString());
            disk.RenameFolder(partial, final);
            disk.FlushFolder(folder);
            return new StoredCheckpoint(final, description);
        }
        catch (Exception e)
        {
            Abandon(partial);
            if (!FileErrors.IsFileError(e) && e is not UserErrorException)
            {
                throw;
            }

            string why = (e is UserErrorException ? e : FileErrors.Unwritable(partial, e)).Message
                .Replace(partial, Path.Combine(folder, name.ToString()), StringComparison.Ordinal);
            throw new SaveFailedException($"step {progress.Step} was not saved, what was saved before is still there: {why}");
        }
    }

    /// <summary>The name, or the next revision of it if that is taken, by a checkpoint or by anything else.</summary>
    private CheckpointName Free(CheckpointName name)
    {
        var taken = Directory.GetFileSystemEntries(folder).Select(path => CheckpointName.Parse(Path.GetFileName(path)))
            .OfType<CheckpointName>().Where(n => n with { Revision = 1 } == name).Select(n => n.Revision).ToList();
        return name with { Revision = taken.Count == 0 ? 1 : taken.Max() + 1 };
    }

    private StoredFile WriteTensors(
        string partial, CheckpointPart part, TrainingState state, List<string> notFinite, CancellationToken cancel)
    {
        string name = part.FileName;
        var file = AtomicFile.Create(Path.Combine(partial, name), null, disk);
        var checksum = file.Checksum = new FileChecksum();
        using var writer = SafetensorsWriter.Create(file, part.Tensors(state.Model, state.Optimizer, state.Recipe));
        part.Fill(writer, state, cancel);
        writer.Complete();
        notFinite.AddRange(writer.NotFinite.Select(tensor => $"{tensor} of {name}"));
        return new StoredFile(file.Length, checksum.Text);
    }

    private void WriteFile(string partial, string name, byte[] content)
    {
        using var file = AtomicFile.Create(Path.Combine(partial, name), null, disk);
        file.Write(content);
        file.Commit();
    }

    private void RequireRoom(Bytes size)
    {
        if (new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace is var free && free < size.Value)
        {
            throw new UserErrorException(
                $"{folder} has too little room: a checkpoint takes {size} and {new Bytes(free)} are free; "
                + "free some space or choose another disk");
        }
    }

    private void Abandon(string partial)
    {
        try
        {
            if (Directory.Exists(partial))
            {
                UnfinishedFolder.Remove(disk, partial);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // The first failure is the one worth reporting; the next start clears what is left.
        }
    }
}
