using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>
/// How much device memory this process takes as the machine counts it: context, modules, workspaces of libraries and arena. Nothing is
/// allocated within a step, so that what is taken at the end of a run is the most that was.
/// </summary>
public sealed class GpuMemoryUse : IDisposable
{
    private readonly GpuMonitor monitor;
    private readonly Bytes before;

    private GpuMemoryUse(GpuMonitor monitor) => (this.monitor, before) = (monitor, monitor.Memory().Used);

    /// <summary>Looks at the GPU before this process opens it; null where NVML is missing or does not answer.</summary>
    public static GpuMemoryUse? Begin(CudaGpu gpu)
    {
        GpuMonitor? monitor = null;
        try
        {
            monitor = GpuMonitor.Open(gpu);
            return new GpuMemoryUse(monitor);
        }
        catch (Exception e) when (e is MachineException or EntryPointNotFoundException)
        {
            monitor?.Dispose();
            return null;
        }
    }

    /// <summary>
    /// What this process takes now. In a container that has process numbers of its own the driver does not tell, and what the GPU's use has
    /// grown by stands for it: more than the truth where another program has grown too.
    /// </summary>
    public Bytes Now()
    {
        var own = monitor.Processes().Where(p => p.Id == Environment.ProcessId).Select(p => p.Used).FirstOrDefault();
        return own ?? Bytes.Max(monitor.Memory().Used - before, Bytes.Zero);
    }

    /// <inheritdoc/>
    public void Dispose() => monitor.Dispose();
}
