using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>Copies of one kind of object in one direction that compute waited for.</summary>
/// <param name="Kind">What is copied, as people call it.</param>
/// <param name="Direction">To the device or to the host.</param>
/// <param name="Nanoseconds">That compute waited for them, in a step.</param>
/// <param name="Ops">Compute ops that were held up.</param>
public sealed record ExposedCopies(string Kind, LinkDirection Direction, long Nanoseconds, int Ops);

/// <summary>What the fastest plan does with more memory.</summary>
/// <param name="More">By how much one of the budgets is larger.</param>
/// <param name="TokensPerSecond">Of the fastest plan within it.</param>
/// <param name="Gain">Share by which tokens a second grow; 0 for nothing.</param>
public sealed record MemoryGain(Bytes More, double TokensPerSecond, double Gain);

/// <summary>Why a step takes as long as it does, and what would change that. Shares are of 1.</summary>
/// <param name="TokensPerSecond">As simulated, one step after the other.</param>
/// <param name="ComputeShare">Of the step: compute works.</param>
/// <param name="RecomputedShare">Of the compute time: recomputation of what forwards did not keep.</param>
/// <param name="Exposed">Copies that compute waited for, longest first.</param>
/// <param name="ExposedShare">Of the step: compute waits for copies.</param>
/// <param name="LinkShares">Of the step, by <see cref="LinkDirection"/>: the link is busy; both directions of the nearest at least.</param>
/// <param name="ComputeCeilingTokensPerSecond">
/// If the step took its compute time alone, without its recompute ops. Of any schedule, the reference's too; <see cref="PlanCandidate"/>'s
/// floor is of all plans of a geometry, and up to 2% longer, since recompute ops hold norms that a backward without one repeats itself.
/// </param>
public sealed record PlanExplanation(
    double TokensPerSecond, double ComputeShare, double RecomputedShare, ImmutableArray<ExposedCopies> Exposed, double ExposedShare,
    ImmutableArray<double> LinkShares, double ComputeCeilingTokensPerSecond)
{
    private const int MostOthers = 5;

    /// <summary>Shares of the step below this are not what bounds it.</summary>
    public const double LeastShare = 0.03;

    // Memory that brings less than this does not bound a step.
    private const double LeastGain = 0.01;

    // A link that rests more than this is not full, and one that rests less than that is.
    private const double NotFull = 0.7;
    private const double Full = 0.9;

    private static readonly Bytes More = Bytes.FromGiB(1);

    /// <summary>What the plan was made from; null where no search was asked.</summary>
    public PlanChoice? Choice { get; init; }

    /// <summary>One GiB more of device memory; null where no search was asked.</summary>
    public MemoryGain? MoreDevice { get; init; }

    /// <summary>One GiB more of host memory; null where no search was asked.</summary>
    public MemoryGain? MoreHost { get; init; }

    /// <summary>
    /// What the fastest plan in twice the host memory (1 GiB more at least) takes of it beyond the budget, and how fast it is; a gain of 0
    /// where more host memory is of no use. Null where no search was asked.
    /// </summary>
    public MemoryGain? AmpleHost { get; init; }

    /// <summary>How fast each direction of the links has to be; empty where that was not asked.</summary>
    public ImmutableArray<LinkNeed> Links { get; init; } = [];

    /// <summary>The fastest candidates that differ in kind from the plan and from each other, fastest first.</summary>
    public ImmutableArray<LostCandidate> Others { get; init; } = [];

    /// <summary>What bounds the step.</summary>
    public StepBound Bound
    {
        get
        {
            double recomputed = RecomputedShare * ComputeShare;
            if (Math.Max(recomputed, ExposedShare) < LeastShare)
            {
                return StepBound.Compute;
            }

            var memory = MoreHost?.Gain > MoreDevice?.Gain ? StepBound.HostMemory : StepBound.DeviceMemory;
            bool memoryHelps = Math.Max(MoreDevice?.Gain ?? 0, MoreHost?.Gain ?? 0) >= LeastGain;
            if (recomputed >= ExposedShare)
            {
                // Where no memory at hand changes it, what is computed twice is work like any other.
                return memoryHelps || MoreDevice is null ? memory : StepBound.Compute;
            }

            var link = AwaitedLink;
            return LinkShares[link.Index] < NotFull && memoryHelps ? memory : new StepBound(link, null);
        }
    }

    /// <summary>
    /// The direction that compute waits for: what it waits for itself, unless that link has room and another one has none, for then
    /// copies wait for copies.
    /// </summary>
    private LinkDirection AwaitedLink
    {
        get
        {
            long To(LinkDirection direction) => Exposed.Where(e => e.Direction == direction).Sum(e => e.Nanoseconds);
            var awaited =
                To(LinkDirection.DeviceToHost) > To(LinkDirection.HostToDevice) ? LinkDirection.DeviceToHost : LinkDirection.HostToDevice;
            var fullest = Enumerable.Range(0, LinkShares.Length).Select(i => new LinkDirection(i)).MaxBy(d => LinkShares[d.Index]);
            return LinkShares[awaited.Index] < NotFull && LinkShares[fullest.Index] > Full ? fullest : awaited;
        }
    }

    /// <summary>What a simulated step says by itself.</summary>
    /// <param name="schedule">The step that was simulated.</param>
    /// <param name="timeline">Of a step in the steady state.</param>
    /// <param name="costs">Per op.</param>
    /// <param name="tokens">Of a step.</param>
    public static PlanExplanation Of(Schedule schedule, Timeline timeline, ReadOnlySpan<OpCost> costs, long tokens)
    {
        long compute = 0, recomputed = 0;
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            compute += schedule.Ops[i].Stream == StepStreams.Compute ? timeline.Ops[i].Duration : 0;
            recomputed += schedule.Ops[i].Kind == OpKind.Recompute ? timeline.Ops[i].Duration : 0;
        }

        var exposed = ComputeStalls.Of(schedule, timeline)
            .Where(s => s.Kind is not null)
            .Select(s => new ExposedCopies(
                s.Kind!,
                // Compute touches no memory but the device's, and so waits for copies of the nearest link only.
                s.Awaited == OpKind.Fetch ? LinkDirection.HostToDevice : LinkDirection.DeviceToHost,
                s.Nanoseconds,
                s.Ops
            ))
            .ToImmutableArray();
        double step = timeline.StepNanoseconds;
        return new PlanExplanation(
            tokens * 1e9 / step, compute / step, (double)recomputed / compute, exposed, exposed.Sum(e => e.Nanoseconds) / step,
            [.. LinkUse.Of(timeline, costs).Select(u => u.BusyNanoseconds / step)], tokens * 1e9 / (compute - recomputed));
    }

    /// <summary>The largest memories that an explanation of a plan within a budget asks the search for.</summary>
    public static MemoryBudget Largest(MemoryBudget budget) => new(Bytes.Max(budget.Host * 2, budget.Host + More), budget.Device + More);

    /// <summary>With what the search that found the plan knows.</summary>
    /// <param name="found">What it found.</param>
    /// <param name="budget">Within that.</param>
    /// <param name="find">The same search.</param>
    public PlanExplanation With(SearchResult.Found found, MemoryBudget budget, Func<MemoryBudget, SearchResult> find)
    {
        var kinds = new HashSet<object> { KindOf(found.Best) };
        return this with
        {
            Choice = found.Best.Choice,
            MoreDevice = GainOf(found.Best, find(budget with { Device = budget.Device + More })),
            MoreHost = GainOf(found.Best, find(budget with { Host = budget.Host + More })),
            AmpleHost = Ample(found.Best, budget, find(budget with { Host = Largest(budget).Host })),
            Others = [.. found.Others.Where(o => kinds.Add(KindOf(o))).Take(MostOthers).Select(o => LostCandidate.Of(o, found.Best))],
        };
    }

    /// <summary>Candidates that differ in slots alone are of one kind.</summary>
    private static object KindOf(PlanCandidate candidate) =>
        (
            candidate.Choice.Geometry,
            candidate.Choice.Residency.Travelling,
            candidate.Choice.Residency.WindowSegments,
            candidate.Choice.Residency.Interleaved
        );

    private static MemoryGain Ample(PlanCandidate best, MemoryBudget budget, SearchResult larger) =>
        larger is SearchResult.Found { Best: var other } && other.Host > budget.Host && other.TokensPerSecond > best.TokensPerSecond
            ? new MemoryGain(other.Host - budget.Host, other.TokensPerSecond, (other.TokensPerSecond / best.TokensPerSecond) - 1)
            : new MemoryGain(Bytes.Zero, best.TokensPerSecond, 0);

    private static MemoryGain GainOf(PlanCandidate best, SearchResult larger)
    {
        double rate = larger is SearchResult.Found found
            ? Math.Max(found.Best.TokensPerSecond, best.TokensPerSecond)
            : best.TokensPerSecond;
        return new MemoryGain(More, rate, (rate / best.TokensPerSecond) - 1);
    }
}
