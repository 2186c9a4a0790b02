using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Everything that a request could be planned as: geometries, save sets, tiers, and along each a chain of residencies. The list comes
/// from the request without its budgets; budgets only filter, so what is feasible stays feasible with more of either memory.
/// </summary>
internal sealed class PlanCandidates
{
    /// <summary>More than any machine has.</summary>
    public static readonly Bytes Unlimited = new(long.MaxValue / 4);

    /// <summary>Save sets of travelling activations, most kept first.</summary>
    private static readonly TensorSet[] SaveSets =
    [
        TensorSet.All,
        TensorSet.Kv | TensorSet.Attention | TensorSet.Query | TensorSet.Residual,
        TensorSet.Kv | TensorSet.Attention,
        TensorSet.Kv,
        TensorSet.None,
    ];

    private readonly Bytes reserved;
    private readonly List<ResidencyChain> chains = [];

    public PlanCandidates(PlanRequest request)
    {
        reserved = request.Reserved;
        var geometries = GeometryRule.Candidates(request)
            .Select(g => new Workload(request.Model, request.Recipe, g, request.Kind))
            .Select(w => new MemorySizes(w, new BlockPrograms(w.Model, w.Recipe, w.Geometry))).ToArray();
        TensorSet[] sets = request.SaveSet is { } pinned ? [pinned] : SaveSets;

        // Copies beside compute matter more than whole windows, whose segments would travel for every chunk; whole windows more than
        // large chunks; large chunks more than what is recomputed.
        foreach (Tier[] tiers in new Tier[][] { [Tier.WholeRound, Tier.Doubled], [Tier.Bare] })
        {
            foreach (bool streamed in new[] { false, true })
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

    /// <summary>The first chain that fits, as far along as it fits.</summary>
    public (Workload Workload, BlockPrograms Programs, Residency Residency)? Best(MemoryBudget budget)
    {
        var arenas = budget with { Device = budget.Device - reserved };
        foreach (var chain in chains)
        {
            int last = chain.LastWithin(arenas.Device);
            if (last >= 0 && chain.FootprintAt(last).Fits(arenas))
            {
                return (chain.Workload, chain.Programs, chain[last]);
            }
        }

        return null;
    }

    /// <summary>The least device memory that works with that much on the host, if any does, in that tier or a higher one.</summary>
    public Bytes? LeastDevice(Bytes host, Tier from = Tier.Bare) => Least(chains
        .Where(c => c.Tier >= from)
        .Select(c => (Chain: c, Index: c.FirstWithin(host)))
        .Where(c => c.Index < c.Chain.Count)
        .Select(c => c.Chain.FootprintAt(c.Index).Device + reserved));

    /// <summary>The least host memory that works with that much on the device, if any does, in that tier or a higher one.</summary>
    public Bytes? LeastHost(Bytes device, Tier from = Tier.Bare) => Least(chains
        .Where(c => c.Tier >= from)
        .Select(c => (Chain: c, Index: c.LastWithin(device - reserved)))
        .Where(c => c.Index >= 0)
        .Select(c => c.Chain.FootprintAt(c.Index).Host));

    private static Bytes? Least(IEnumerable<Bytes> sizes) => sizes.Cast<Bytes?>().Min();
}
