using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>Which documents are packed or cut together, and in which order: a function of seed, epoch and window alone.</summary>
internal static class DocumentWindow
{
    // Keys of unrelated orders.
    private const ulong OfDocuments = 1, OfWindows = 2, OfRows = 3, OfHeldBack = 4;

    /// <summary>The windows of so many documents.</summary>
    public static long Count(long documents) => (documents + RowSettings.WindowDocuments - 1) / RowSettings.WindowDocuments;

    /// <summary>The documents of a window, in their order, without those that are held back.</summary>
    /// <param name="documents">Where they are from.</param>
    /// <param name="settings">Seed and shuffling.</param>
    /// <param name="epoch">From 0.</param>
    /// <param name="window">The how-manieth of the epoch, from 0.</param>
    /// <returns>Null if the epoch has no such window.</returns>
    public static long[]? Of(ITokenizedDocuments documents, RowSettings settings, long epoch, long window)
    {
        const int Size = RowSettings.WindowDocuments;
        bool needsAll = settings.Shuffle == Shuffle.All || epoch > 0;
        long count = documents.Await(needsAll ? long.MaxValue : (window + 1) * Size);
        if (window >= Count(count))
        {
            return null;
        }

        if (settings.Shuffle == Shuffle.All)
        {
            var all = new Permutation(count, Key(settings.Seed, OfDocuments, epoch));
            return Taken(settings, window * Size, Math.Min(count, (window + 1) * Size), all.At);
        }

        long place = settings.Shuffle == Shuffle.Window && epoch > 0
            ? new Permutation(Count(count), Key(settings.Seed, OfWindows, epoch)).At(window)
            : window;
        long first = place * Size, end = Math.Min(count, first + Size);
        if (settings.Shuffle == Shuffle.None)
        {
            return Taken(settings, first, end, i => i);
        }

        var within = new Permutation(end - first, Key(Key(settings.Seed, OfDocuments, epoch), OfDocuments, place));
        return Taken(settings, first, end, i => first + within.At(i - first));
    }

    /// <summary>The order of a window's rows.</summary>
    public static Permutation Rows(RowSettings settings, int rows, long epoch, long window) =>
        new(rows, Key(Key(settings.Seed, OfRows, epoch), OfRows, window));

    /// <summary>Whether a document is held back for validation.</summary>
    public static bool IsHeldBack(RowSettings settings, long document) =>
        settings.HeldBack > 0 && SplitMix64.At(OfHeldBack, (ulong)document) < settings.HeldBack * ulong.MaxValue;

    private static ulong Key(ulong seed, ulong purpose, long number) =>
        SplitMix64.Mix(SplitMix64.Mix(seed + (purpose << 56)) + (ulong)number);

    private static long[] Taken(RowSettings settings, long first, long end, Func<long, long> at)
    {
        var taken = new List<long>((int)(end - first));
        for (long i = first; i < end; i++)
        {
            if (at(i) is var document && !IsHeldBack(settings, document))
            {
                taken.Add(document);
            }
        }

        return [.. taken];
    }
}
