using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Device memory that a run takes besides its arena: context, modules, library workspaces. NVML counts it; a CPU has none.</summary>
internal sealed class ReservedMemory(DeviceKind device)
{
    private Bytes? before;

    /// <summary>The most that was seen.</summary>
    public Bytes Peak { get; private set; }

    /// <summary>What is taken now besides an arena. What others held when it was first asked is theirs.</summary>
    public void Look(Bytes arena)
    {
        if (device != DeviceKind.Cuda)
        {
            return;
        }

        using var monitor = GpuMonitor.Open(CudaGpu.All()[0]);
        Peak = Bytes.Max(Peak, monitor.Memory().Used - arena - (before ?? Bytes.Zero));
    }

    /// <summary>Remembers what is in use before the first context.</summary>
    public void Begin()
    {
        if (device == DeviceKind.Cuda)
        {
            using var monitor = GpuMonitor.Open(CudaGpu.All()[0]);
            before = monitor.Memory().Used;
        }
    }
}
