using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>What computes.</summary>
public enum HardwareKind
{
    /// <summary>The cores and the memory of the machine itself; both arenas lie in that memory.</summary>
    Cpu,

    /// <summary>A CUDA device with memory of its own, behind a link.</summary>
    Gpu,
}

/// <summary>What a GPU's code is compiled for: 9.0 is sm_90.</summary>
public readonly record struct ComputeCapability(int Major, int Minor) : IComparable<ComputeCapability>
{
    /// <inheritdoc/>
    public int CompareTo(ComputeCapability other) => (Major, Minor).CompareTo((other.Major, other.Minor));

    /// <summary>Whether the first is older: its major number counts first.</summary>
    public static bool operator <(ComputeCapability a, ComputeCapability b) => a.CompareTo(b) < 0;

    /// <summary>Whether the first is newer.</summary>
    public static bool operator >(ComputeCapability a, ComputeCapability b) => a.CompareTo(b) > 0;

    /// <summary>Whether the first is no newer.</summary>
    public static bool operator <=(ComputeCapability a, ComputeCapability b) => a.CompareTo(b) <= 0;

    /// <summary>Whether the first is no older.</summary>
    public static bool operator >=(ComputeCapability a, ComputeCapability b) => a.CompareTo(b) >= 0;

    /// <summary>"9.0".</summary>
    public override string ToString() => $"{Major}.{Minor}";
}

/// <summary>One direction of a link between tiers.</summary>
/// <param name="BytesPerSecond">Of a large copy while the other direction rests.</param>
/// <param name="BytesPerSecondBothBusy">Of a large copy while the other direction copies too.</param>
/// <param name="LatencySeconds">Of a copy of no bytes.</param>
public sealed record LinkProfile(Figure BytesPerSecond, Figure BytesPerSecondBothBusy, Figure LatencySeconds);

/// <summary>
/// What a machine can do, each figure with its source: as much as a roofline with copy streams needs. Comes from
/// <see cref="HardwareProfileReader"/>, which checks it; profiling/README.md documents the text form.
/// </summary>
public sealed record HardwareProfile
{
    /// <summary>The name that users give: lower case letters, digits and hyphens.</summary>
    public required string Name { get; init; }

    /// <summary>Other names that mean the same.</summary>
    public required ImmutableArray<string> Aliases { get; init; }

    /// <summary>The names under which a driver reports such a device ("NVIDIA H200"); empty if none.</summary>
    public required ImmutableArray<string> DeviceNames { get; init; }

    /// <summary>What computes.</summary>
    public required HardwareKind Kind { get; init; }

    /// <summary>What code is compiled for; null for a CPU.</summary>
    public required ComputeCapability? ComputeCapability { get; init; }

    /// <summary>Streaming multiprocessors; null for a CPU.</summary>
    public required Figure? SmCount { get; init; }

    /// <summary>Physical device memory, all of it; null for a CPU: what the machine has.</summary>
    public required Figure? DeviceMemoryBytes { get; init; }

    /// <summary>
    /// What context, modules and library workspaces take of the device memory before the arena gets any; page tables of the host arena come
    /// on top.
    /// </summary>
    public required Figure ReservedDeviceBytes { get; init; }

    /// <summary>Dense (never sparse) peak for bf16 operands, accumulated in fp32.</summary>
    public required Figure Bf16FlopsPerSecond { get; init; }

    /// <summary>Peak for fp32 operands without reduced-precision modes.</summary>
    public required Figure Fp32FlopsPerSecond { get; init; }

    /// <summary>Of the memory that kernels read and write.</summary>
    public required Figure MemoryBandwidthBytesPerSecond { get; init; }

    /// <summary>Copies between tiers, by <see cref="LinkDirection"/>: both directions of the nearest link at least.</summary>
    public required ImmutableArray<LinkProfile> Links { get; init; }

    /// <summary>From the start of one small kernel to the start of the next in a full queue.</summary>
    public required Figure KernelLaunchSeconds { get; init; }

    /// <summary>The same where both are of one CUDA graph; null for a CPU and where nothing is known.</summary>
    public required Figure? GraphLaunchSeconds { get; init; }

    /// <summary>The least tokens of a chunk in the published reference system on this machine; null where it has none.</summary>
    public required Figure? ReferenceMinChunkTokens { get; init; }

    /// <summary>The limit that clocks are lowered to hold; null if none is known.</summary>
    public required Figure? PowerLimitWatts { get; init; }

    /// <summary>What host memory gives all cores and both copy directions together; null if not known.</summary>
    public required Figure? HostMemoryBandwidthBytesPerSecond { get; init; }

    /// <summary>Fitted constants of a cost model by its own names; empty where nothing was fitted.</summary>
    public required ImmutableSortedDictionary<string, Figure> Efficiency { get; init; }

    /// <summary>Measured rates of kernels, which count more than fitted constants; null where nothing was measured.</summary>
    public required KernelRates? Kernels { get; init; }

    /// <summary>What attention by cuDNN was measured at; null where it was not.</summary>
    public CudnnRates? Cudnn { get; init; }

    /// <summary>Tiers that the links connect.</summary>
    public int TierCount => new LinkDirection(Links.Length - 1).Far.Index + 1;

    /// <summary>Copies in a direction.</summary>
    public LinkProfile Link(LinkDirection direction) => Links[direction.Index];

    /// <summary><see cref="DeviceMemoryBytes"/> as a size.</summary>
    public Bytes? DeviceMemory => DeviceMemoryBytes is { } figure ? new Bytes((long)figure.Value) : null;

    /// <summary><see cref="ReservedDeviceBytes"/> as a size: the part of the reserve that does not depend on the plan.</summary>
    public Bytes ReservedDevice => new((long)ReservedDeviceBytes.Value);

    /// <summary>What a run takes of the device memory beside its arena.</summary>
    public DeviceReserve Reserve => new(ReservedDevice);

    /// <summary>
    /// The machine where whole steps are launched as CUDA graphs: a launch costs less. Half is assumed where the profile does not say it:
    /// of kernels that do nothing, others measured 0.58 us a node of a graph against 2.7 us a launch (ahrefs/ocannl, issue 488), and
    /// kernels have a beginning and an end besides.
    /// </summary>
    public HardwareProfile WithGraphs() => this with
    {
        KernelLaunchSeconds = GraphLaunchSeconds
            ?? new Figure(KernelLaunchSeconds.Value / 2, FigureKind.Estimate, "half of kernel_launch_s; to be measured"),
    };

    /// <summary>Dense peak of matrix products with operands of a type.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a type that matrices have.</exception>
    public double PeakFlopsPerSecond(DType type) => type switch
    {
        DType.BFloat16 => Bf16FlopsPerSecond.Value,
        DType.Float32 => Fp32FlopsPerSecond.Value,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no peak for this type"),
    };

    /// <summary>Whether a user's word means this profile, in any case.</summary>
    public bool IsCalled(string word) =>
        Aliases.Prepend(Name).Contains(word, StringComparer.OrdinalIgnoreCase);
}
