using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// The memory of a residency: what the device's pools take, and the homes of everything that leaves them (<see cref="MemorySizes"/>).
/// </summary>
internal sealed record Footprint(Bytes Device, Bytes Host)
{
    /// <summary>Within both budgets.</summary>
    public bool Fits(MemoryBudget budget) => Device <= budget.Device && Host <= budget.Host;

    /// <summary>Of a single residency.</summary>
    public static Footprint Of(Workload workload, BlockPrograms programs, Residency residency) =>
        new MemorySizes(workload, programs).Of(residency);
}
