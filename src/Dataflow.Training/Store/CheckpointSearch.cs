using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Finds the checkpoint to go on from, and goes on from an older one where it turns out to be damaged.</summary>
public static class CheckpointSearch
{
    /// <summary>
    /// The newest good checkpoint below a folder, or the checkpoint that the folder itself is (whatever its name, finite or not). Checked
    /// are its description, its files' lengths and its config; the rest is checked by
    /// <see cref="Load(StoredCheckpoint, Trainer, Action{string})"/>.
    /// </summary>
    /// <param name="folder">As given to --checkpoint or --resume.</param>
    /// <param name="notice">Told, in a sentence each, of newer ones that cannot be used.</param>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static StoredCheckpoint Find(string folder, Action<string> notice)
    {
        if (File.Exists(Path.Combine(folder, CheckpointFiles.State)))
        {
            return StoredCheckpoint.Read(Path.TrimEndingDirectorySeparator(folder));
        }

        var refused = new List<string>();
        var found = Newest(folder, _ => true, refused.Add)
            ?? throw new UserErrorException(refused.Count == 0
                ? $"{folder} holds no checkpoint to resume from; start without --resume, or name the folder that was given to --checkpoint"
                : $"{folder} holds no checkpoint that can be resumed from: {refused[0]}"
                    + (refused.Count > 1 ? $", and {refused.Count - 1} older ones cannot be used either" : ""));
        refused.ForEach(why => notice($"{why}; the newest good checkpoint is {found.Folder}"));
        return found;
    }

    /// <summary>
    /// Puts a checkpoint into a trainer. If its content turns out to be damaged, the next older one beside it that is of the same run takes
    /// its place, and that is said.
    /// </summary>
    /// <returns>The one that was loaded.</returns>
    /// <exception cref="UserErrorException">It does not fit the model, or it is damaged and there is no other.</exception>
    public static StoredCheckpoint Load(StoredCheckpoint checkpoint, Trainer trainer, Action<string> notice) =>
        Load(checkpoint, trainer, notice, []);

    /// <summary>Adds the full paths of those that are damaged to a set.</summary>
    internal static StoredCheckpoint Load(StoredCheckpoint checkpoint, Trainer trainer, Action<string> notice, HashSet<string> damaged)
    {
        for (var next = checkpoint; ;)
        {
            try
            {
                Fill(trainer, next);
                return next;
            }
            catch (DamagedCheckpointException e)
            {
                damaged.Add(Path.GetFullPath(next.Folder));
                var older = next.Name is { IsFinite: true } ? OlderOf(next, damaged) : null;
                if (older is null)
                {
                    throw new UserErrorException(
                        $"{e.Message}, and there is no older checkpoint of this run to go on from; "
                        + "start without --resume, or name another checkpoint");
                }

                notice($"{e.Message}; going on from {older.Folder}");
                next = older;
            }
        }
    }

    private static void Fill(Trainer trainer, StoredCheckpoint checkpoint)
    {
        using var reader = CheckpointReader.Open(checkpoint, trainer.Weights.Model);
        try
        {
            trainer.Load(reader.State, checkpoint.Progress.Step, checkpoint.Progress.Skipped);
        }
        catch (UserErrorException e)
        {
            throw new DamagedCheckpointException(e.Message); // it fits the model, so it is the disk that cannot be read
        }

        reader.Confirm();
    }

    /// <summary>The newest below a folder that can be used and that a condition holds for; null if there is none.</summary>
    internal static StoredCheckpoint? Newest(string folder, Func<StoredCheckpoint, bool> condition, Action<string> refused)
    {
        foreach (var (path, _) in Named(folder).Where(c => c.Name.IsFinite))
        {
            try
            {
                var found = StoredCheckpoint.Read(path);
                if (found.State.Folder != Path.GetFileName(path))
                {
                    refused($"{path} is a copy of {found.State.Folder}");
                }
                else if (condition(found))
                {
                    return found;
                }
            }
            catch (DamagedCheckpointException e)
            {
                refused(e.Message);
            }
        }

        return null;
    }

    /// <summary>All that can be used, finite or not, newest first.</summary>
    internal static IEnumerable<StoredCheckpoint> All(string folder)
    {
        foreach (var (path, _) in Named(folder))
        {
            StoredCheckpoint? found = null;
            try
            {
                found = StoredCheckpoint.Read(path);
            }
            catch (DamagedCheckpointException)
            {
                // No checkpoint by its content: left alone.
            }

            if (found is not null && found.State.Folder == Path.GetFileName(path))
            {
                yield return found;
            }
        }
    }

    private static StoredCheckpoint? OlderOf(StoredCheckpoint damaged, HashSet<string> all)
    {
        var progress = damaged.Progress;
        bool Fits(StoredCheckpoint other) => !all.Contains(Path.GetFullPath(other.Folder))
            && other.Progress is var p && p.Step <= progress.Step
            && (p.Geometry, p.Recipe, p.Optimizer, p.Seed) == (progress.Geometry, progress.Recipe, progress.Optimizer, progress.Seed);
        return Newest(damaged.Parent, Fits, _ => { });
    }

    /// <summary>Folders with a name that the engine gives, newest first.</summary>
    private static IEnumerable<(string Path, CheckpointName Name)> Named(string folder)
    {
        var named = new List<(string Path, CheckpointName Name)>();
        foreach (string path in Directory.Exists(folder) ? Directory.GetDirectories(folder) : [])
        {
            if (CheckpointName.Parse(Path.GetFileName(path)) is { } name)
            {
                named.Add((path, name));
            }
        }

        return named.OrderByDescending(c => c.Name.Step).ThenByDescending(c => c.Name.Revision);
    }
}
