using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>The primary context of a GPU: what cuBLASLt uses too. Calls go to the context that is current on their thread.</summary>
public sealed unsafe class CudaContext : CudaHandle
{
    private CudaContext(CudaGpu gpu) => Gpu = gpu;

    /// <summary>Whose context it is.</summary>
    public CudaGpu Gpu { get; }

    /// <summary>Opens it and makes it current on this thread.</summary>
    /// <exception cref="CudaException">The GPU is in exclusive use, or has no memory left for a context.</exception>
    public static CudaContext Open(CudaGpu gpu, HostWait wait = HostWait.Automatic)
    {
        if (
            wait != HostWait.Automatic
            && DriverApi.cuDevicePrimaryCtxSetFlags_v2(gpu.Handle, wait) is not DriverStatus.PrimaryContextActive and var chosen
        )
        {
            // Where the context is open already, another user of it in this process has chosen: that is no reason to stop.
            chosen.Check($"setting up GPU {gpu.Ordinal} ({gpu.Name})");
        }

        var context = new CudaContext(gpu);
        nint opened;
        var status = DriverApi.cuDevicePrimaryCtxRetain(&opened, gpu.Handle);
        if (status == DriverStatus.OutOfMemory)
        {
            throw StatusChecks.Failure(
                status,
                $"opening GPU {gpu.Ordinal} ({gpu.Name})",
                GpuUsers.Describe(gpu) is { } users ? $"{users}: end what fills it" : "other programs fill it: end them"
            );
        }

        status.Check($"opening GPU {gpu.Ordinal} ({gpu.Name})");
        context.Adopt(opened, of: null);
        context.MakeCurrent();
        return context;
    }

    /// <summary>Makes it current on this thread.</summary>
    public void MakeCurrent() => DriverApi.cuCtxSetCurrent(Value).Check($"making GPU {Gpu.Ordinal} current on a thread");

    /// <summary>Returns when everything launched has completed.</summary>
    /// <exception cref="CudaException">An earlier launch or copy failed.</exception>
    public void Synchronize() => DriverApi.cuCtxSynchronize().Check("waiting for the GPU");

    /// <summary>Free memory of the GPU and all of it, as the driver counts them for this process.</summary>
    public (Bytes Free, Bytes Total) Memory()
    {
        nuint free, total;
        DriverApi.cuMemGetInfo_v2(&free, &total).Check("asking the GPU for its free memory");
        return (new Bytes((long)free), new Bytes((long)total));
    }

    /// <summary>A profiler that waits for it (nsys --capture-range=cudaProfilerApi) records from here on.</summary>
    public static void StartProfiler() => DriverApi.cuProfilerStart().Check("starting the profiler");

    /// <summary>It stops recording.</summary>
    public static void StopProfiler() => DriverApi.cuProfilerStop().Check("stopping the profiler");

    /// <summary>For releases, which may run on the finalizer's thread: there no context is current.</summary>
    internal static void MakeCurrentForRelease(nint context) => _ = DriverApi.cuCtxSetCurrent(context);

    private protected override void Release(nint value) => _ = DriverApi.cuDevicePrimaryCtxRelease_v2(Gpu.Handle);
}
