using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>Memory that a kind of object takes on the device.</summary>
public sealed record PoolSizing(string Name, Bytes SlotLength, int Slots)
{
    /// <summary>All slots.</summary>
    public Bytes Total => SlotLength * Slots;
}

/// <summary>A verified way to run a workload within a budget: the schedule, and how it came about.</summary>
public sealed record TrainingPlan(
    Workload Workload, MemoryBudget Budget, Residency Residency, ImmutableArray<PoolSizing> Pools, Schedule Schedule, string Hash)
{
    /// <summary>Bytes of the device arena.</summary>
    public Bytes DevicePeak => Schedule.Arenas[0].Length;

    /// <summary>Bytes of the host arena.</summary>
    public Bytes HostPeak => Schedule.Arenas[1].Length;

    /// <summary>What travels and what is recomputed in a step.</summary>
    public PlanTraffic Traffic => PlanTraffic.Of(Schedule);
}
