using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>A plan worth simulating.</summary>
/// <param name="Family">Its family.</param>
/// <param name="Index">Its place in the family.</param>
/// <param name="Device">Device memory that it takes.</param>
/// <param name="Host">Host memory that it takes.</param>
/// <param name="Estimate">Nanoseconds of a step, roughly.</param>
/// <param name="Bound">Nanoseconds of a step, at least; 0 until it is on a list.</param>
internal readonly record struct ShortlistEntry(int Family, int Index, Bytes Device, Bytes Host, double Estimate, double Bound)
{
    /// <summary>Whether it comes before another: the smaller estimate, then the earlier family, then less memory.</summary>
    public bool Precedes(in ShortlistEntry other) =>
        (Estimate, Family, Index).CompareTo((other.Estimate, other.Family, other.Index)) < 0;
}

/// <summary>
/// For every pair of levels of device and host memory the plan with the smallest estimate among those that fit it. Levels are the same for
/// all requests, and a budget has all entries that fit it: a larger one has all of a smaller one's.
/// </summary>
internal sealed class Shortlist
{
    // The estimate cannot tell smaller differences.
    private const double Gain = 0.001;
    private readonly MemoryBudget covered;
    private readonly List<ShortlistEntry> entries;
    private readonly Bytes least;

    private Shortlist(MemoryBudget covered, List<ShortlistEntry> entries, Bytes least) =>
        (this.covered, this.entries, this.least) = (covered, entries, least);

    /// <summary>All entries of a budget are in it.</summary>
    public bool Covers(MemoryBudget budget) =>
        BudgetLevels.Within(budget.Device - least) <= BudgetLevels.Within(covered.Device - least)
        && BudgetLevels.Within(budget.Host) <= BudgetLevels.Within(covered.Host);

    /// <summary>The entries that a budget has room for, smallest estimate first.</summary>
    public List<ShortlistEntry> Within(MemoryBudget budget)
    {
        var found = entries.Where(e => e.Device <= budget.Device && e.Host <= budget.Host).ToList();
        found.Sort((a, b) => a.Precedes(b) ? -1 : b.Precedes(a) ? 1 : 0);
        return found;
    }

    /// <summary>The list for all budgets up to one.</summary>
    public static Shortlist Of(List<PlanFamily> families, DeviceReserve reserve, MemoryBudget budget)
    {
        // Levels are of what plans choose: beside a reserve that all of them have, small arenas would all be of one level.
        // The level that the budget does not reach has plans that fit it.
        int devices = BudgetLevels.Within(budget.Device - reserve.Least) + 1, hosts = BudgetLevels.Within(budget.Host) + 1;
        var best = new ShortlistEntry?[devices, hosts];
        var geometries = Enumerable.Range(0, families.Count).GroupBy(i => families[i].Geometry).ToArray();
        Parallel.ForEach(
            geometries, () => new List<(int Device, int Host, ShortlistEntry Entry)>(),
            (group, _, mine) =>
            {
                foreach (int i in group)
                {
                    AddTo(mine, families[i], i, (devices, hosts), reserve);
                }

                return mine;
            },
            mine =>
            {
                lock (best)
                {
                    foreach (var (device, host, entry) in mine)
                    {
                        Take(ref best[device, host], entry);
                    }
                }
            });

        // More memory has what less has, and is on the list itself only where it gains something.
        var entries = new List<ShortlistEntry>();
        for (int d = 0; d < devices; d++)
        {
            for (int h = 0; h < hosts; h++)
            {
                ShortlistEntry? less = d > 0 ? best[d - 1, h] : null;
                if (h > 0)
                {
                    Take(ref less, best[d, h - 1]);
                }

                if (best[d, h] is not { } own || (less is { } l && own.Estimate > l.Estimate * (1 - Gain)))
                {
                    best[d, h] = less;
                    continue;
                }

                entries.Add(own with { Bound = families[own.Family].Geometry.Estimate.BoundOf(families[own.Family][own.Index]) });
            }
        }

        return new Shortlist(budget, entries, reserve.Least);
    }

    /// <summary>The better of two.</summary>
    private static bool Take(ref ShortlistEntry? place, ShortlistEntry? other)
    {
        bool better = other is { } o && (place is not { } p || o.Precedes(p));
        place = better ? other : place;
        return better;
    }

    /// <summary>
    /// A family's residencies: at each level of device memory the last one that fits. Where a residency that frees much of the host takes
    /// less device memory with its reserve than the one before, it fits where that one does.
    /// </summary>
    private static void AddTo(
        List<(int Device, int Host, ShortlistEntry Entry)> list,
        PlanFamily family,
        int number,
        (int Devices, int Hosts) levels,
        DeviceReserve reserve
    )
    {
        int level = -1;
        (int Index, Footprint Memory)? fits = null;
        for (int i = 0; i <= family.Count; i++)
        {
            var memory = i < family.Count ? family.FootprintAt(i) : null;
            int needs = memory is null ? levels.Devices : BudgetLevels.For(memory.Device + reserve.For(memory.Host) - reserve.Least);
            if (fits is { } last && needs > level)
            {
                int host = BudgetLevels.For(last.Memory.Host);
                if (level < levels.Devices && host < levels.Hosts)
                {
                    var time = family.Geometry.Estimate.Of(family[last.Index]);
                    var device = last.Memory.Device + reserve.For(last.Memory.Host);
                    list.Add((level, host, new ShortlistEntry(number, last.Index, device, last.Memory.Host, time.Nanoseconds, 0)));
                }
            }

            // None that follows takes less of the device by itself, whatever it frees of the host.
            if (memory is null || BudgetLevels.For(memory.Device) >= levels.Devices)
            {
                return;
            }

            level = needs;
            fits = (i, memory);
        }
    }
}
