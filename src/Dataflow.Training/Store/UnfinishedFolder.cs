using System.Text.RegularExpressions;

namespace Dataflow.Training;

/// <summary>
/// A folder that is being written or removed: a hidden name with the process that does so, so that what a killed one left is told from what
/// a living one is at. ".partial-step-00000010.4711-8302@node7" is not complete yet, ".deleted-step-..." not any more.
/// </summary>
internal static partial class UnfinishedFolder
{
    /// <summary>Where a checkpoint is written before it gets its name.</summary>
    public static string Partial(CheckpointName name) => $".partial-{name}.{ProcessIdentity.Own}";

    /// <summary>What a checkpoint is called while its files are removed.</summary>
    public static string Deleted(CheckpointName name) => $".deleted-{name}.{ProcessIdentity.Own}";

    /// <summary>Removes what processes that are no more left in a folder.</summary>
    /// <param name="disk">To do it on.</param>
    /// <param name="folder">The checkpoints' folder.</param>
    /// <param name="owned">Its lock. Where the system grants it, a process of another machine that still wrote there would have it.</param>
    public static void ClearLeftovers(IDisk disk, string folder, FolderLock owned)
    {
        foreach (string left in Directory.GetDirectories(folder, ".*").Where(path => IsLeftover(path, owned)).Order(StringComparer.Ordinal))
        {
            try
            {
                Remove(disk, left);
            }
            catch (Exception e) when (FileErrors.IsFileError(e))
            {
                // Not ours to delete: it does no harm but to take room.
            }
        }
    }

    /// <summary>Removes a folder and the files in it.</summary>
    public static void Remove(IDisk disk, string folder)
    {
        foreach (string file in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
        {
            disk.DeleteFile(file);
        }

        disk.DeleteFolder(folder);
    }

    // Folders without a process are of the first versions, which wrote none; whoever has the lock is the only one now.
    private static bool IsLeftover(string path, FolderLock owned) =>
        Grammar().Match(Path.GetFileName(path)) is { Success: true } match
        && CheckpointName.Parse(match.Groups["name"].Value) is not null
        && (!match.Groups["process"].Success || IsOver(ProcessIdentity.Parse(match.Groups["process"].Value), owned));

    private static bool IsOver(ProcessIdentity? writer, FolderLock owned) =>
        writer is { } process && (process.IsOwn || (process.IsHere ? !process.IsAlive : owned.IsGranted));

    [GeneratedRegex(@"^\.(partial|deleted)-(?<name>step-[\w-]+)(\.(?<process>[0-9]+-[0-9]+@[\w.-]+))?\z")]
    private static partial Regex Grammar();
}
