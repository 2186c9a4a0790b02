using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What a step would need more of to be shorter: a faster link, more of a memory, or neither.</summary>
/// <param name="Link">The direction that would have to be faster; null if it is something else.</param>
/// <param name="Memory">The tier that would have to be larger; null if it is something else.</param>
public readonly record struct StepBound(LinkDirection? Link, MemoryTier? Memory)
{
    /// <summary>Faster kernels: next to nothing is awaited, and nothing that memory would save is computed twice.</summary>
    public static StepBound Compute => default;

    /// <summary>A faster link to the device.</summary>
    public static StepBound HostToDevice => new(LinkDirection.HostToDevice, null);

    /// <summary>A faster link to the host.</summary>
    public static StepBound DeviceToHost => new(LinkDirection.DeviceToHost, null);

    /// <summary>More device memory.</summary>
    public static StepBound DeviceMemory => new(null, MemoryTier.Device);

    /// <summary>More host memory.</summary>
    public static StepBound HostMemory => new(null, MemoryTier.Host);

    /// <summary>"compute", "host_to_device", "device_memory".</summary>
    public string Name => Link?.Name ?? (Memory is { } tier ? $"{tier}_memory" : "compute");

    /// <inheritdoc/>
    public override string ToString() => Name;
}
