namespace Dataflow.Training;

/// <summary>Which checkpoints may go once a newer one is complete: the rule alone.</summary>
internal static class Retention
{
    /// <summary>
    /// Of checkpoints up to the one just saved: kept are that one, the newest of the last <paramref name="keep"/> steps, the one with the
    /// lowest score, and the newest that is not finite. What is of later steps is not this save's to judge; what is damaged counts for nothing and goes when it is older
    /// than all that are kept.
    /// </summary>
    public static IReadOnlyList<StoredCheckpoint> Superfluous(IEnumerable<StoredCheckpoint> all, StoredCheckpoint saved, int keep, Func<StoredCheckpoint, bool> isDamaged)
    {
        var mine = all.Where(c => c.Name is { } name && name.Step <= saved.Progress.Step).OrderByDescending(c => c.Name!.Value.Step).ThenByDescending(c => c.Name!.Value.Revision).ToList();
        var good = mine.Where(c => c.IsFinite && !isDamaged(c)).DistinctBy(c => c.Name!.Value.Step).ToList();
        var kept = new HashSet<string>(good.Take(keep).Select(c => c.Folder)) { saved.Folder };
        if (good.Where(c => c.Score is not null).MinBy(c => c.Score) is { } best)
        {
            kept.Add(best.Folder);
        }

        if (mine.FirstOrDefault(c => !c.IsFinite) is { } notFinite)
        {
            kept.Add(notFinite.Folder);
        }

        int oldest = good.Take(keep).LastOrDefault()?.Progress.Step ?? 0;
        return [.. mine.Where(c => !kept.Contains(c.Folder) && !(isDamaged(c) && c.Progress.Step >= oldest && c.Progress.Step != saved.Progress.Step))];
    }
}
