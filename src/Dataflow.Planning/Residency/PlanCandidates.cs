using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Everything that a request could be planned as: geometries, save sets, tiers, and along each a chain of residencies. The list comes
/// from the request without its budgets; budgets only filter, so what is feasible stays feasible with more of either memory.
/// </summary>
internal sealed class PlanCandidates
{
    /// <summary>Save sets of travelling activations, most kept first.</summary>
    private static readonly SaveSet[] SaveSets =
    [
        SaveSet.All,
        SaveSet.Kv | SaveSet.Attention | SaveSet.Query | SaveSet.Residual,
        SaveSet.Kv | SaveSet.Attention,
        SaveSet.Kv,
        SaveSet.None,
    ];

    private readonly DeviceReserve reserve;
    private readonly List<ResidencyChain> chains = [];

    public PlanCandidates(PlanRequest request)
    {
        reserve = request.Reserve;
        var whole = GeometryRule.Candidates(request);
        // Without a backward nobody wants what a forward could keep.
        SaveSet[] sets = request.SaveSet is { } pinned ? [pinned] : request.Kind.HasBackward() ? SaveSets : [SaveSet.None];

        // Experts travel with their layer wherever that fits: then each layer's parameters come once a round.
        if (request.Pins.ExpertGroups is null)
        {
            Add(Sizes(whole), sets, mayStream: true);
        }

        foreach (var cut in GeometryRule.WithExpertGroups(request, whole).GroupBy(g => g with { ExpertGroups = null }))
        {
            Add(Sizes(cut), sets, mayStream: false);
        }

        MemorySizes[] Sizes(IEnumerable<Geometry> geometries) =>
            [.. geometries.Select(request.In).Select(w => new MemorySizes(w, new BlockPrograms(w.Model, w.Recipe, w.Geometry)))];
    }

    /// <summary>
    /// Copies beside compute matter more than whole windows, whose segments would travel for every chunk; whole windows more than large
    /// chunks; large chunks more than what is recomputed.
    /// </summary>
    private void Add(MemorySizes[] geometries, SaveSet[] sets, bool mayStream)
    {
        foreach (Tier[] tiers in new Tier[][] { [Tier.WholeRound, Tier.Doubled], [Tier.Bare] })
        {
            foreach (bool streamed in mayStream ? new[] { false, true } : [false])
            {
                foreach (var sizes in geometries)
                {
                    foreach (var saved in sets)
                    {
                        foreach (int segments in streamed ? SegmentRule.Counts(sizes.Workload, saved) : [1])
                        {
                            chains.AddRange(tiers.Select(t => new ResidencyChain(sizes, saved, t, segments)));
                        }
                    }
                }
            }
        }
    }

    /// <summary>The budgets that these can do with.</summary>
    public PlanLimits Limits => LimitsFrom(Tier.Bare);

    /// <summary>The same in that tier or a higher one.</summary>
    public PlanLimits LimitsFrom(Tier tier) => new(reserve, [.. chains.Where(c => c.Tier >= tier)]);

    /// <summary>The first chain that fits, as far along as it fits.</summary>
    public (Workload Workload, BlockPrograms Programs, Residency Residency)? Best(MemoryBudget budget)
    {
        foreach (var chain in chains)
        {
            if (chain.LastWithin(budget, reserve) is >= 0 and var last)
            {
                return (chain.Workload, chain.Programs, chain[last]);
            }
        }

        return null;
    }
}
