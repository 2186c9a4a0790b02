using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A saved run that is gone on with.</summary>
/// <param name="Checkpoint">The newest good one.</param>
/// <param name="Folder">As it was named; or where that is a checkpoint itself, the folder that it is in.</param>
/// <param name="Notices">What was found on the way, in a sentence each.</param>
public sealed record SavedRun(StoredCheckpoint Checkpoint, string Folder, IReadOnlyList<string> Notices)
{
    private const string LockName = ".lock";

    /// <summary>What the checkpoint says of the run, the way options say it.</summary>
    public IReadOnlyDictionary<string, string> Settings => Checkpoint.Progress.Settings;

    /// <summary>As it was asked for, to go on with.</summary>
    /// <exception cref="UserErrorException">What was saved cannot be used.</exception>
    public TrainingOptions Options => SavedSettings.OptionsOf(this);

    /// <summary>Finds it.</summary>
    /// <param name="folder">The folder of its checkpoints, or one of them.</param>
    /// <exception cref="UserErrorException">There is no checkpoint that can be gone on with.</exception>
    public static SavedRun Find(string folder)
    {
        var notices = new List<string>();
        var found = Search(folder, notices);
        bool itself = Path.GetFullPath(found.Folder) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return new SavedRun(found, itself ? found.Parent : folder, notices);
    }

    private static StoredCheckpoint Search(string folder, List<string> notices)
    {
        try
        {
            return CheckpointSearch.Find(folder, notices.Add);
        }
        catch (UserErrorException) when (File.Exists(Path.Combine(folder, LockName)))
        {
            // Another run that saves there removes old ones while they are looked at: if there is one, that is what to say.
            CheckpointStore.Open(folder, 1, notices.Add).Dispose();
            throw;
        }
    }
}
