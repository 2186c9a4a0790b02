using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// A memory by its place in the list of all: nearest to compute first. Kernels work in the first; bytes get from one to another over the
/// links between neighbours. A step's arenas are the tiers that it uses, in this order.
/// </summary>
public readonly record struct MemoryTier(int Index)
{
    private static readonly ImmutableArray<string> s_names = ["device", "host"];

    /// <summary>Where kernels read and write.</summary>
    public static MemoryTier Device => new(0);

    /// <summary>Where the runtime writes what a step reads, and reads what it yields.</summary>
    public static MemoryTier Host => new(1);

    /// <summary>All that there are.</summary>
    public static ImmutableArray<MemoryTier> All { get; } = [.. Enumerable.Range(0, s_names.Length).Select(i => new MemoryTier(i))];

    /// <summary>"device", "host": what schedules, profiles and people call it.</summary>
    public string Name => s_names[Index];

    /// <inheritdoc/>
    public override string ToString() => Name;
}
