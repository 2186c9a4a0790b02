using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>A GPU's memory as the driver itself counts it: all processes, contexts and modules included.</summary>
public readonly record struct GpuMemory(Bytes Total, Bytes Reserved, Bytes Free, Bytes Used);

/// <summary>A process that computes on a GPU.</summary>
/// <param name="Id">Its process id.</param>
/// <param name="Used">Its device memory; null where the driver does not tell, as in some containers.</param>
public readonly record struct GpuProcess(int Id, Bytes? Used);

/// <summary>What NVML says of one GPU. Asking takes no device memory.</summary>
public sealed unsafe class GpuMonitor : IDisposable
{
    private const int MostProcesses = 256;

    private readonly nint device;
    private bool open = true;

    private GpuMonitor(nint device) => this.device = device;

    /// <summary>Opens NVML for the GPU that the driver calls so.</summary>
    /// <exception cref="MissingLibraryException">There is no NVML.</exception>
    /// <exception cref="CudaException">NVML does not start, or does not know the GPU.</exception>
    public static GpuMonitor Open(CudaGpu gpu)
    {
        NvmlApi.nvmlInit_v2().Check("starting NVML");
        nint device;
        fixed (byte* bus = NativeText.Of(gpu.PciBusId))
        fixed (byte* uuid = NativeText.Of(gpu.Uuid))
        {
            var status = NvmlApi.nvmlDeviceGetHandleByPciBusId_v2(bus, &device);
            if (status != NvmlStatus.Success)
            {
                status = NvmlApi.nvmlDeviceGetHandleByUUID(uuid, &device);
            }

            if (status != NvmlStatus.Success)
            {
                _ = NvmlApi.nvmlShutdown();
            }

            status.Check($"finding GPU {gpu.Ordinal} ({gpu.PciBusId}) in NVML");
        }

        return new GpuMonitor(device);
    }

    /// <summary>"550.54.15".</summary>
    public string DriverVersion()
    {
        const int longest = 96;
        byte* text = stackalloc byte[longest];
        NvmlApi.nvmlSystemGetDriverVersion(text, longest).Check("asking NVML for the driver's version");
        return NativeText.Read(text);
    }

    /// <summary>Memory now.</summary>
    public GpuMemory Memory()
    {
        var memory = new NvmlMemory { Version = NvmlMemory.CurrentVersion };
        NvmlApi.nvmlDeviceGetMemoryInfo_v2(device, &memory).Check("asking NVML for the GPU's memory");
        return new GpuMemory(
            new Bytes((long)memory.Total),
            new Bytes((long)memory.Reserved),
            new Bytes((long)memory.Free),
            new Bytes((long)memory.Used)
        );
    }

    /// <summary>Who computes on it.</summary>
    public IReadOnlyList<GpuProcess> Processes()
    {
        var processes = stackalloc NvmlProcess[MostProcesses];
        uint count = MostProcesses;
        NvmlApi.nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes).Check("asking NVML for the GPU's processes");
        var all = new List<GpuProcess>();
        for (int i = 0; i < count; i++)
        {
            // The largest number stands for one that is not known.
            all.Add(
                new GpuProcess(
                    (int)processes[i].ProcessId,
                    processes[i].UsedBytes <= long.MaxValue ? new Bytes((long)processes[i].UsedBytes) : null
                )
            );
        }

        return all;
    }

    /// <summary>Clock of the multiprocessors now, in MHz.</summary>
    public int Clock() => Clock(ClockKind.Multiprocessors);

    /// <summary>Clock of the memory now, in MHz.</summary>
    public int MemoryClock() => Clock(ClockKind.Memory);

    /// <summary>The highest clock of the multiprocessors, in MHz.</summary>
    public int MaxClock()
    {
        uint megahertz;
        NvmlApi.nvmlDeviceGetMaxClockInfo(device, ClockKind.Multiprocessors, &megahertz).Check("asking NVML for the highest clock");
        return (int)megahertz;
    }

    /// <summary>Power now; null where the board does not measure it.</summary>
    public double? Watts()
    {
        uint milliwatts;
        return NvmlApi.nvmlDeviceGetPowerUsage(device, &milliwatts) == NvmlStatus.Success ? milliwatts / 1000.0 : null;
    }

    /// <summary>The limit that clocks are lowered to hold; null where there is none.</summary>
    public double? WattsLimit()
    {
        uint milliwatts;
        return NvmlApi.nvmlDeviceGetEnforcedPowerLimit(device, &milliwatts) == NvmlStatus.Success ? milliwatts / 1000.0 : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (open)
        {
            open = false;
            _ = NvmlApi.nvmlShutdown();
        }
    }

    private int Clock(ClockKind kind)
    {
        uint megahertz;
        NvmlApi.nvmlDeviceGetClockInfo(device, kind, &megahertz).Check("asking NVML for a clock");
        return (int)megahertz;
    }
}
