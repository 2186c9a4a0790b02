using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// What stays on the device, by simple rules: first the fewest slots that work, then enough of each to let copies run beside compute,
/// then whole activations of the last layers, then parameters, gradients, optimizer state and finally embedding and head (the order
/// in which a byte saves most time). Travelling activations keep as much as the host has room for.
/// </summary>
internal static class ResidencyRule
{
    /// <summary>Save sets of travelling activations, most kept first.</summary>
    private static readonly TensorSet[] SaveSets =
    [
        TensorSet.All,
        TensorSet.Kv | TensorSet.Attention | TensorSet.Query | TensorSet.Residual,
        TensorSet.Kv | TensorSet.Attention,
        TensorSet.Kv,
        TensorSet.None,
    ];

    /// <summary>The best residency of every save set that fits the device, most kept first.</summary>
    public static IEnumerable<Residency> Candidates(Workload workload, TensorSet? pinned, Func<Residency, bool> fits) =>
        SaveSetsFor(pinned).Select(s => Grow(workload, s, fits)).OfType<Residency>();

    /// <summary>The residencies with the fewest bytes on the device.</summary>
    public static IEnumerable<Residency> Smallest(Workload workload, TensorSet? pinned) =>
        SaveSetsFor(pinned).Select(s => Tiers(workload, s)[0]);

    private static TensorSet[] SaveSetsFor(TensorSet? pinned) => pinned is { } one ? [one] : SaveSets;

    private static Residency? Grow(Workload workload, TensorSet saved, Func<Residency, bool> fits)
    {
        var best = Tiers(workload, saved).LastOrDefault(fits);
        if (best is null)
        {
            return null;
        }

        var (model, geometry) = (workload.Model, workload.Geometry);
        int groups = model.LayerCount * geometry.GroupsPerRound;
        int pieces = new OptimizerPieces(workload, new BlockPrograms(model, workload.Recipe, geometry)).Total;
        best = Raise(best, 0, groups, (r, n) => r with { ResidentGroups = n }, fits);
        if (best.ResidentGroups < groups)
        {
            return best;
        }

        best = Raise(best, best.WeightSlots, model.LayerCount, (r, n) => r with { WeightSlots = n }, fits);
        bool gradientsTravel = geometry.Rounds > 1 && workload.Kind == WorkloadKind.Training;
        best = gradientsTravel ? Raise(best, 0, model.LayerCount, (r, n) => r with { ResidentGradients = n }, fits) : best;
        best = workload.Kind == WorkloadKind.Training ? Raise(best, 0, pieces, (r, n) => r with { ResidentPieces = n }, fits) : best;
        return Raise(best, 0, 1, (r, n) => r with { VocabularyResident = n == 1 }, fits);
    }

    /// <summary>Ever more slots: as few as one op needs, then two of each (a ring of one makes save, fetch and compute wait in turn), then one per chunk.</summary>
    private static Residency[] Tiers(Workload workload, TensorSet saved)
    {
        var (layers, geometry) = (workload.Model.LayerCount, workload.Geometry);
        int chunks = geometry.ChunksPerRound;
        Residency Tier(int ring, int streams, int gradStreams) => new()
        {
            Travelling = saved,
            ResidentGroups = 0,
            WeightSlots = Math.Min(ring, layers),
            GradientSlots = geometry.Rounds == 1 && workload.Kind == WorkloadKind.Training ? 1 : ring,
            ResidentGradients = 0,
            OptimizerSlots = ring,
            ResidentPieces = 0,
            VocabularyResident = false,
            StreamSlots = streams,
            ActivationSlots = ring,
            WindowSlots = ring,
            GradStreamSlots = Math.Min(gradStreams, chunks),
        };
        return [Tier(1, 2, 1), Tier(2, 3, 2), Tier(2, chunks + 2, chunks)];
    }

    /// <summary>The largest value that fits, by bisection; more never takes fewer bytes.</summary>
    private static Residency Raise(Residency from, int least, int most, Func<Residency, int, Residency> with, Func<Residency, bool> fits)
    {
        while (least < most)
        {
            int middle = least + ((most - least + 1) / 2);
            (least, most) = fits(with(from, middle)) ? (middle, most) : (least, middle - 1);
        }

        return with(from, least);
    }
}
