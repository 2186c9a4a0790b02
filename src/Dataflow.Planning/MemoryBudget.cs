using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>The most that a plan may use of each memory.</summary>
public sealed record MemoryBudget(Bytes Host, Bytes Device)
{
    /// <summary>Of a tier.</summary>
    public Bytes Of(MemoryTier tier) => tier == MemoryTier.Device ? Device : Host;
}
