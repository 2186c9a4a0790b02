namespace Dataflow.Training;

/// <summary>Which checkpoints may go once a newer one is complete: the rule alone.</summary>
internal static class Retention
{
    /// <summary>
    /// Of checkpoints up to the one just saved: kept are that one, the newest of the last <paramref name="keep"/> steps, the one with the
    /// lowest score, the newest that a run may have to go back to, and the newest that is not finite. What is of later steps is not this
    /// save's to judge; what is damaged counts for nothing and goes when it is older than all that are kept.
    /// </summary>
    /// <param name="all">Newest first.</param>
    /// <param name="saved">The one just saved, which is among them.</param>
    /// <param name="keep">Steps to keep, at least 1.</param>
    /// <param name="isDamaged">Whether a checkpoint has turned out to be damaged.</param>
    /// <param name="isTarget">Whether a run may have to go back to a checkpoint; null: it never goes back.</param>
    public static IReadOnlyList<StoredCheckpoint> Superfluous(
        IEnumerable<StoredCheckpoint> all, StoredCheckpoint saved, int keep, Func<StoredCheckpoint, bool> isDamaged,
        Func<StoredCheckpoint, bool>? isTarget = null)
    {
        int step = saved.Progress.Step;
        var mine = all.Where(c => c.Progress.Step <= step).ToList();
        var good = mine.Where(c => c.IsFinite && !isDamaged(c)).DistinctBy(c => c.Progress.Step).ToList();
        var kept = new HashSet<string>(good.Take(keep).Select(c => c.Folder)) { saved.Folder };
        if (good.Where(c => c.Score is not null).MinBy(c => c.Score) is { } best)
        {
            kept.Add(best.Folder);
        }

        if (isTarget is not null && good.Find(c => isTarget(c)) is { } target)
        {
            kept.Add(target.Folder);
        }

        if (mine.FirstOrDefault(c => !c.IsFinite) is { } notFinite)
        {
            kept.Add(notFinite.Folder);
        }

        int oldest = good.Take(keep).LastOrDefault()?.Progress.Step ?? 0;
        bool MayBeMended(StoredCheckpoint c) => isDamaged(c) && c.Progress.Step >= oldest && c.Progress.Step != step;
        return [.. mine.Where(c => !kept.Contains(c.Folder) && !MayBeMended(c))];
    }
}
