using System.Collections.Immutable;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>Copies of a step in order. There are thousands, and a search orders those of hundreds of plans: each is copied once.</summary>
internal static class Travels
{
    /// <summary>Fetches in order of their consumers.</summary>
    public static Travel[] Fetches(ImmutableArray<Travel> copies, int ops) => InOrder(copies, fetch: true, ops);

    /// <summary>Saves in order of production; those of one op by object.</summary>
    public static Travel[] Saves(ImmutableArray<Travel> copies, int ops)
    {
        var saves = InOrder(copies, fetch: false, ops);
        for (int from = 0, to; from < saves.Length; from = to)
        {
            for (to = from + 1; to < saves.Length && saves[to].IssueAfter == saves[from].IssueAfter; to++)
            {
                // What an op saves of one object stays as it is.
                for (int at = to; at > from && saves[at - 1].Object > saves[at].Object; at--)
                {
                    (saves[at - 1], saves[at]) = (saves[at], saves[at - 1]);
                }
            }
        }

        return saves;
    }

    /// <summary>Those of one direction by an op of theirs, from -1 on; those of the same op stay in order.</summary>
    private static Travel[] InOrder(ImmutableArray<Travel> copies, bool fetch, int ops)
    {
        int[] at = new int[ops + 2];
        foreach (ref readonly var copy in copies.AsSpan())
        {
            if (copy.Fetch == fetch)
            {
                at[OpOf(copy) + 2]++;
            }
        }

        for (int i = 1; i < at.Length; i++)
        {
            at[i] += at[i - 1];
        }

        var ordered = new Travel[at[^1]];
        foreach (ref readonly var copy in copies.AsSpan())
        {
            if (copy.Fetch == fetch)
            {
                ordered[at[OpOf(copy) + 1]++] = copy;
            }
        }

        return ordered;
    }

    private static int OpOf(in Travel copy) => copy.Fetch ? copy.Deadline : copy.IssueAfter;
}
