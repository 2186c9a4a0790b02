using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The sizes at which a search looks for plans: from 64 KiB up, each a twenty-fourth more than the one before. A budget between two of them
/// gets the plans of all that it reaches. Fixed for all requests, so that whoever has more memory chooses among more.
/// </summary>
internal static class BudgetLevels
{
    private const long First = 1 << 16;
    private const long Largest = 1L << 46;
    private const long Step = 24;

    private static readonly long[] Sizes = [.. All()];

    /// <summary>How many levels a budget reaches.</summary>
    public static int Within(Bytes budget)
    {
        int found = Array.BinarySearch(Sizes, budget.Value);
        return found >= 0 ? found + 1 : ~found;
    }

    /// <summary>The first level that has room for a size; as many as there are levels if none has.</summary>
    public static int For(Bytes size)
    {
        int found = Array.BinarySearch(Sizes, size.Value);
        return found >= 0 ? found : ~found;
    }

    private static IEnumerable<long> All()
    {
        for (long size = First; size <= Largest; size += size / Step)
        {
            yield return size;
        }
    }
}
