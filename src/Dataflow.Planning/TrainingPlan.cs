using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>A verified way to run a workload within a budget: the schedule, and how it came about.</summary>
public sealed record TrainingPlan(
    Workload Workload, MemoryBudget Budget, Residency Residency, ImmutableArray<Pool> Pools, Schedule Schedule, string Hash)
{
    /// <summary>Device memory taken beside the arena, for a host arena of this size.</summary>
    public Bytes Reserved { get; init; }

    /// <summary>Bytes of the device arena and of what is reserved beside it.</summary>
    public Bytes DevicePeak => PeakOf(MemoryTier.Device);

    /// <summary>Bytes of the host arena.</summary>
    public Bytes HostPeak => PeakOf(MemoryTier.Host);

    /// <summary>The tiers that it uses, in the order of the schedule's arenas.</summary>
    public IEnumerable<MemoryTier> Tiers => MemoryTier.All.Take(Schedule.Arenas.Length);

    /// <summary>What the arenas may take, in the order of the schedule's arenas: for the verifier.</summary>
    public ImmutableArray<Bytes> ArenaBudgets => [.. Tiers.Select(t => Budget.Of(t) - ReservedOf(t))];

    /// <summary>Bytes of a tier's arena and of what is reserved beside it.</summary>
    public Bytes PeakOf(MemoryTier tier) => Schedule.LengthOf(tier) + ReservedOf(tier);

    /// <summary>Bytes taken beside a tier's arena.</summary>
    public Bytes ReservedOf(MemoryTier tier) => tier == MemoryTier.Device ? Reserved : Bytes.Zero;

    /// <summary>What travels and what is recomputed in a step.</summary>
    public PlanTraffic Traffic => PlanTraffic.Of(Schedule);
}
