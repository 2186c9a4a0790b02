using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Simulation;

/// <summary>What an op takes of a machine: time of its stream, or bytes of a link.</summary>
/// <param name="Nanoseconds">Of a compute op, all of it; of a copy, what passes before the first byte.</param>
/// <param name="Link">Index of the <see cref="LinkDirection"/> that a copy uses, -1 for a compute op.</param>
/// <param name="Bytes">That a copy moves.</param>
public readonly record struct OpCost(long Nanoseconds, int Link, long Bytes)
{
    /// <summary>A compute op.</summary>
    public static OpCost Compute(long nanoseconds) => new(nanoseconds, -1, 0);
}

/// <summary>Bytes a nanosecond (GB/s) of one direction, by whether the other one moves bytes too.</summary>
public readonly record struct LinkRate(double Alone, double BothBusy);

/// <summary>What copies share.</summary>
/// <param name="Links">Per <see cref="LinkDirection"/> that costs name.</param>
/// <param name="HostMemory">Bytes a nanosecond that host memory gives all copies together.</param>
public sealed record LinkRates(ImmutableArray<LinkRate> Links, double HostMemory = double.PositiveInfinity);
