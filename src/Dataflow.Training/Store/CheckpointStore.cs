using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A folder that one run saves its checkpoints to, and no other at the same time. A checkpoint is written under a hidden name, flushed, and
/// renamed when complete; only then are older ones removed. Whatever stops the program, the newest complete checkpoint is there.
/// </summary>
/// <remarks>
/// Saves may come from any thread, one at a time; disposal waits for one that is running (cancel it first if it is not to finish).
/// </remarks>
public sealed class CheckpointStore : IDisposable
{
    private readonly IDisk disk;
    private readonly FolderLock owned;
    private readonly Action<string> notice;
    private readonly Lock gate = new();
    private readonly HashSet<string> damaged = [];
    private StoredCheckpoint? last;
    private bool disposed;

    private CheckpointStore(string folder, int keep, Action<string> notice, IDisk disk, FolderLock owned)
    {
        (Folder, Keep, this.notice, this.disk, this.owned) = (folder, keep, notice, disk, owned);
    }

    /// <summary>As it was given.</summary>
    public string Folder { get; }

    /// <summary>How many complete checkpoints are kept, the best by score besides.</summary>
    public int Keep { get; }

    /// <summary>Of those that a run may have to go back to the newest is kept besides; null: it never goes back.</summary>
    public Func<StoredCheckpoint, bool>? IsTarget { get; set; }

    /// <summary>Takes the folder, which is made if need be, and clears what killed runs left unfinished in it.</summary>
    /// <param name="folder">Holds nothing but this run's checkpoints, and whatever else the user puts there, which is left alone.</param>
    /// <param name="keep">Complete checkpoints to keep, at least 1.</param>
    /// <param name="notice">Told, in a sentence each, what the user should know and nothing fails for.</param>
    /// <exception cref="UserErrorException">It cannot be made or written to, or another process saves there.</exception>
    public static CheckpointStore Open(string folder, int keep, Action<string> notice) => Open(folder, keep, notice, Disk.Real);

    /// <summary>On a disk that tests can make fail.</summary>
    internal static CheckpointStore Open(string folder, int keep, Action<string> notice, IDisk disk)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        FolderLock? owned = null;
        try
        {
            Make(disk, Path.GetFullPath(folder));
            owned = FolderLock.Take(folder, notice);
            AtomicFile.Create(Path.Combine(folder, CheckpointFiles.State), null, disk).Dispose();
            UnfinishedFolder.ClearLeftovers(disk, folder, owned);
            return new CheckpointStore(folder, keep, notice, disk, owned);
        }
        catch (Exception e) when (FileErrors.IsFileError(e) || e is ArgumentException)
        {
            owned?.Dispose();
            throw FileErrors.Unwritable(folder, e);
        }
        catch
        {
            owned?.Dispose();
            throw;
        }
    }

    /// <summary>The exact number of bytes that a save takes.</summary>
    public static Bytes BytesOf(ModelConfig model, Recipe recipe, TrainingProgress progress) =>
        CheckpointWriting.Size(model, recipe, progress);

    /// <summary>
    /// Refuses, before the first step, a folder with later steps than the run has done: they are another run's, and resuming would go on
    /// with that.
    /// </summary>
    /// <param name="step">Steps done: 0, or those of the checkpoint that the run goes on from.</param>
    /// <exception cref="UserErrorException">There are later ones.</exception>
    public void Begin(int step)
    {
        var later = CheckpointSearch.Newest(Folder, c => !IsDamaged(c), _ => { });
        if (later is not null && later.Progress.Step > step)
        {
            throw new UserErrorException(
                $"{Folder} holds another run's checkpoint of step {later.Progress.Step}; "
                + $"give another folder to --checkpoint, or go on with that run by --resume {Folder}");
        }
    }

    /// <summary>The newest good one of this folder for which a condition holds; null if there is none.</summary>
    public StoredCheckpoint? Newest(Func<StoredCheckpoint, bool> condition)
    {
        lock (gate)
        {
            return CheckpointSearch.Newest(Folder, c => !IsDamaged(c) && condition(c), _ => { });
        }
    }

    /// <summary>
    /// As <see cref="CheckpointSearch.Load(StoredCheckpoint, Trainer, Action{string})"/>, from a checkpoint of this folder; remembers which
    /// ones are damaged, so that they do not count among those to keep.
    /// </summary>
    /// <exception cref="UserErrorException">It does not fit the model, or it is damaged and there is no other.</exception>
    public StoredCheckpoint Load(StoredCheckpoint checkpoint, Trainer trainer)
    {
        lock (gate)
        {
            return CheckpointSearch.Load(checkpoint, trainer, notice, damaged);
        }
    }

    /// <summary>
    /// Saves a run, and removes what is superfluous then. Nothing is written if this store has saved just that before: a step's state does
    /// not change.
    /// </summary>
    /// <param name="state">Must not change meanwhile.</param>
    /// <param name="progress">Its step is the checkpoint's.</param>
    /// <param name="score">The validation loss, if it is known: the checkpoint with the lowest is never removed.</param>
    /// <param name="cancel">Ends the save between two pieces; nothing of it remains.</param>
    /// <exception cref="SaveFailedException">It cannot be written. What was saved before is still there.</exception>
    /// <exception cref="OperationCanceledException">That was asked for.</exception>
    public StoredCheckpoint Save(TrainingState state, TrainingProgress progress, double? score = null, CancellationToken cancel = default)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (last is { } same && same.State.IsOf(progress, score) && Directory.Exists(same.Folder))
            {
                return same;
            }

            last = new CheckpointWriting(disk, Folder).Write(state, progress, score, cancel);
            Remove(last);
            return last;
        }
    }

    /// <summary>Gives the folder back, after a save that is running.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            owned.Dispose();
        }
    }

    private static void Make(IDisk disk, string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        if (Path.GetDirectoryName(folder) is { } parent)
        {
            Make(disk, parent);
            disk.CreateFolder(folder);
            disk.FlushFolder(parent);
        }
    }

    private bool IsDamaged(StoredCheckpoint checkpoint) => damaged.Contains(Path.GetFullPath(checkpoint.Folder));

    private void Remove(StoredCheckpoint saved)
    {
        foreach (var old in Retention.Superfluous(CheckpointSearch.All(Folder), saved, Keep, IsDamaged, IsTarget))
        {
            try
            {
                string hidden = Path.Combine(Folder, UnfinishedFolder.Deleted(old.Name!.Value));
                disk.RenameFolder(old.Folder, hidden);
                disk.FlushFolder(Folder);
                UnfinishedFolder.Remove(disk, hidden);
            }
            catch (Exception e) when (FileErrors.IsFileError(e))
            {
                notice($"{old.Folder} is not needed any more and cannot be removed: {e.Message}");
            }
        }
    }
}
