using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow;

/// <summary>
/// Device memory that a run takes besides its arena: context, modules, library workspaces. NVML counts it; a CPU has none.
/// </summary>
/// <remarks>Made before the process opens the GPU: what others hold then is theirs.</remarks>
internal sealed class ReservedMemory(DeviceKind device) : IDisposable
{
    private readonly GpuMemoryUse? use = device == DeviceKind.Cuda ? GpuMemoryUse.Begin(CudaGpu.All()[0]) : null;

    /// <summary>The most that was seen; null where the GPU could not be asked.</summary>
    public Bytes? Peak { get; private set; } = device == DeviceKind.Cuda ? null : Bytes.Zero;

    /// <summary>
    /// Looks at what is taken now besides a device arena and the page tables of a host arena, which plans count by themselves.
    /// </summary>
    public void Look(Bytes arena, Bytes host)
    {
        if (use is not null)
        {
            Peak = Bytes.Max(Peak ?? Bytes.Zero, use.Now() - arena - DeviceReserve.PageTables(host));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => use?.Dispose();
}
