using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>
/// One direction of a link between neighbouring tiers, by its place in the list of all: inbound (towards compute) and outbound of the
/// nearest link, then of the next one.
/// </summary>
public readonly record struct LinkDirection(int Index)
{
    private const int OfALink = 2;

    /// <summary>To the device.</summary>
    public static LinkDirection HostToDevice => From(MemoryTier.Host);

    /// <summary>From the device.</summary>
    public static LinkDirection DeviceToHost => To(MemoryTier.Host);

    /// <summary>All that there are, link by link.</summary>
    public static ImmutableArray<LinkDirection> All { get; } = Among(MemoryTier.All.Length);

    /// <summary>Between a tier and the one it is linked with nearer to compute.</summary>
    public MemoryTier Far => new((Index / OfALink) + 1);

    /// <summary>The other end.</summary>
    public MemoryTier Near => new(Index / OfALink);

    /// <summary>Towards compute.</summary>
    public bool IsInbound => Index % OfALink == 0;

    /// <summary>Where copies come from.</summary>
    public MemoryTier Source => IsInbound ? Far : Near;

    /// <summary>Where copies go.</summary>
    public MemoryTier Target => IsInbound ? Near : Far;

    /// <summary>The other direction of the same link.</summary>
    public LinkDirection Opposite => IsInbound ? To(Far) : From(Far);

    /// <summary>"host_to_device": its key in texts.</summary>
    public string Name => $"{Source}_to_{Target}";

    /// <summary>From a tier to the next nearer one.</summary>
    public static LinkDirection From(MemoryTier far) => new(OfALink * (far.Index - 1));

    /// <summary>To a tier from the next nearer one.</summary>
    public static LinkDirection To(MemoryTier far) => new((OfALink * (far.Index - 1)) + 1);

    /// <summary>Those of the links between so many tiers.</summary>
    public static ImmutableArray<LinkDirection> Among(int tiers) =>
        [.. Enumerable.Range(0, OfALink * (tiers - 1)).Select(i => new LinkDirection(i))];

    /// <inheritdoc/>
    public override string ToString() => Name;
}
