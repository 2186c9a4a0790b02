using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// Which budgets a request can do with, whatever its own are, by what a policy chooses from. A function of footprints: nothing is lowered.
/// </summary>
public sealed class PlanLimits
{
    /// <summary>More than any machine has.</summary>
    public static readonly Bytes Unlimited = new(long.MaxValue / 4);

    private readonly DeviceReserve reserve;
    private readonly IReadOnlyList<ResidencySequence> sequences;

    internal PlanLimits(DeviceReserve reserve, IReadOnlyList<ResidencySequence> sequences) =>
        (this.reserve, this.sequences) = (reserve, sequences);

    /// <summary>Of the planner's own rules (policy simple).</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static PlanLimits OfRules(PlanRequest request) => new PlanCandidates(request).Limits;

    /// <summary>Of a search on a machine (policy auto).</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public static PlanLimits OfSearch(PlanRequest request, CostModel machine) =>
        OfRules(request).And(SearchSpace.Of(request, machine));

    /// <summary>Where more may be chosen from.</summary>
    internal PlanLimits And(IEnumerable<ResidencySequence> more) => new(reserve, [.. sequences, .. more]);

    /// <summary>Whether there is a plan within both.</summary>
    public bool Fits(MemoryBudget budget) => sequences.Any(s => s.LastWithin(budget, reserve) >= 0);

    /// <summary>The least device memory that works with that much on the host; null if none does.</summary>
    public Bytes? LeastDevice(Bytes host) => Least(sequences
        .Select(s => (Sequence: s, Index: s.FirstWithin(host)))
        .Where(s => s.Index < s.Sequence.Count)
        .Select(s => s.Sequence.LeastDeviceFrom(s.Index, reserve)));

    /// <summary>The least host memory that works with that much on the device; null if none does.</summary>
    public Bytes? LeastHost(Bytes device) => Least(sequences
        .Select(s => (Sequence: s, Index: s.LastWithin(device, reserve)))
        .Where(s => s.Index >= 0)
        .Select(s => s.Sequence.FootprintAt(s.Index).Host));

    private static Bytes? Least(IEnumerable<Bytes> sizes) => sizes.Cast<Bytes?>().Min();
}
