using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>
/// What was found on a machine, before anything is made of it: texts of /proc and /sys as they are, null where there is no such file.
/// </summary>
public sealed record MachineFacts
{
    /// <summary>Cores that this process may use.</summary>
    public required int Processors { get; init; }

    /// <summary>Bits of the widest vectors that the CPU kernels would use.</summary>
    public required int VectorBits { get; init; }

    /// <summary>/proc/cpuinfo.</summary>
    public string? CpuInfo { get; init; }

    /// <summary>/proc/meminfo.</summary>
    public string? MemInfo { get; init; }

    /// <summary>What memory there is, within the limits of control groups; null where the system does not say.</summary>
    public MachineMemory? Memory { get; init; }

    /// <summary>/proc/self/limits.</summary>
    public string? Limits { get; init; }

    /// <summary>/proc/self/status.</summary>
    public string? Status { get; init; }

    /// <summary>How much could be locked in memory.</summary>
    public required PinningTrial Pinned { get; init; }

    /// <summary>/sys/kernel/mm/transparent_hugepage/enabled.</summary>
    public string? HugePages { get; init; }

    /// <summary>/proc/driver/nvidia/version.</summary>
    public string? DriverText { get; init; }

    /// <summary>The CUDA driver and libraries that were looked for.</summary>
    public required IReadOnlyList<LibraryFinding> Libraries { get; init; }

    /// <summary>The GPUs.</summary>
    public required GpuReading Gpus { get; init; }

    /// <summary>Files of compiled kernels by what they are compiled for; empty where there are none.</summary>
    public IReadOnlyList<(string Target, int Images)> Kernels { get; init; } = [];

    /// <summary>The text that the demo trains on; null if it was not fetched.</summary>
    public string? DemoText { get; init; }

    /// <summary>What that text is.</summary>
    public string? DemoTextSource { get; init; }

    /// <summary>The hardware profiles that could be read.</summary>
    public required IReadOnlyList<HardwareProfile> Profiles { get; init; }

    /// <summary>Why not all profiles could be read; null if they could.</summary>
    public string? ProfilesFault { get; init; }
}

/// <summary>What an attempt to lock memory gave.</summary>
/// <param name="Locked">The most that was locked at once.</param>
/// <param name="Tried">The most that was to be tried.</param>
/// <param name="Failure">Why more could not be locked; null if all that was tried could.</param>
public sealed record PinningTrial(Bytes Locked, Bytes Tried, string? Failure);

/// <summary>A native library that was looked for.</summary>
/// <param name="Name">What it is: "NVRTC".</param>
/// <param name="Purpose">What needs it.</param>
/// <param name="Candidates">The file names tried, newest first.</param>
/// <param name="Found">The one that loads; null if none does.</param>
public sealed record LibraryFinding(string Name, string Purpose, IReadOnlyList<string> Candidates, string? Found);

/// <summary>The GPUs of a machine.</summary>
/// <param name="Gpus">In the driver's order.</param>
/// <param name="CudaVersion">The newest CUDA that the driver runs, "13.0"; null if not known.</param>
/// <param name="Reason">Why there are none or they could not be asked; null if they could.</param>
public sealed record GpuReading(IReadOnlyList<GpuFacts> Gpus, string? CudaVersion, string? Reason);

/// <summary>A GPU as its driver describes it.</summary>
/// <param name="Name">"NVIDIA H200".</param>
/// <param name="Memory">All of it.</param>
/// <param name="Free">What is free now.</param>
/// <param name="Capability">What code is compiled for.</param>
/// <param name="LinkGeneration">PCIe generation that card and slot can both do; 0 if not known.</param>
/// <param name="LinkLanes">Lanes likewise.</param>
public sealed record GpuFacts(string Name, Bytes Memory, Bytes Free, ComputeCapability Capability, int LinkGeneration, int LinkLanes);
