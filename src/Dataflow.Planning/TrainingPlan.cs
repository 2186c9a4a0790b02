using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>A verified way to run a workload within a budget: the schedule, and how it came about.</summary>
public sealed record TrainingPlan(
    Workload Workload, MemoryBudget Budget, Residency Residency, ImmutableArray<Pool> Pools, Schedule Schedule, string Hash)
{
    /// <summary>Bytes of the device arena.</summary>
    public Bytes DevicePeak => Schedule.Arenas[0].Length;

    /// <summary>Bytes of the host arena.</summary>
    public Bytes HostPeak => Schedule.Arenas[1].Length;

    /// <summary>What travels and what is recomputed in a step.</summary>
    public PlanTraffic Traffic => PlanTraffic.Of(Schedule);
}
