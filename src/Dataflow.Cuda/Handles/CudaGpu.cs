using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>A GPU as the driver describes it.</summary>
public sealed record CudaGpu
{
    /// <summary>Its number among those that CUDA_VISIBLE_DEVICES leaves.</summary>
    public required int Ordinal { get; init; }

    /// <summary>"NVIDIA H200".</summary>
    public required string Name { get; init; }

    /// <summary>What code is compiled for.</summary>
    public required ComputeCapability Capability { get; init; }

    /// <summary>All of it.</summary>
    public required Bytes Memory { get; init; }

    /// <summary>Streaming multiprocessors.</summary>
    public required int Multiprocessors { get; init; }

    /// <summary>The most that are resident at once.</summary>
    public required int ThreadsPerMultiprocessor { get; init; }

    /// <summary>The most that a block may have by opting in.</summary>
    public required Bytes SharedMemoryPerBlock { get; init; }

    /// <summary>Size of the L2 cache.</summary>
    public required Bytes L2Cache { get; init; }

    /// <summary>Copies that run beside kernels at once.</summary>
    public required int CopyEngines { get; init; }

    /// <summary>"0000:65:00.0".</summary>
    public required string PciBusId { get; init; }

    /// <summary>"GPU-" and 32 hexadecimal digits in five groups, as NVML writes it.</summary>
    public required string Uuid { get; init; }

    private const int OldestDriver = 12000;

    /// <summary>Node of the host's memory next to the GPU; null where the system does not say.</summary>
    public int? NumaNode
    {
        get
        {
            try
            {
                return
                    int.TryParse(File.ReadAllText($"/sys/bus/pci/devices/{PciBusId.ToLowerInvariant()}/numa_node"), out int node)
                    && node >= 0
                    ? node
                    : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    internal int Handle { get; private init; }

    /// <summary>The newest CUDA that the driver runs: 12.4.</summary>
    /// <exception cref="MissingLibraryException">There is no driver.</exception>
    public static unsafe Version DriverVersion()
    {
        int version = 0;
        DriverApi.cuDriverGetVersion(&version).Check("asking the driver for its version");
        return new Version(version / 1000, version % 1000 / 10);
    }

    /// <summary>All GPUs, in the driver's order; at least one.</summary>
    /// <exception cref="MissingLibraryException">There is no driver.</exception>
    /// <exception cref="CudaException">The driver does not start, or sees no GPU.</exception>
    /// <exception cref="MachineException">The driver is too old.</exception>
    public static unsafe IReadOnlyList<CudaGpu> All()
    {
        DriverApi.cuInit(0).Check("starting the CUDA driver");
        var version = DriverVersion();
        if ((version.Major * 1000) + (version.Minor * 10) < OldestDriver)
        {
            throw new MachineException($"the NVIDIA driver runs CUDA up to {version}, and 12.0 is needed: install driver 525 or newer");
        }

        int count = 0;
        DriverApi.cuDeviceGetCount(&count).Check("counting the GPUs");
        return count > 0
            ? [.. Enumerable.Range(0, count).Select(Describe)]
            : throw StatusChecks.Failure(DriverStatus.NoDevice, "counting the GPUs");
    }

    private static unsafe CudaGpu Describe(int ordinal)
    {
        const int longest = 256;
        byte* text = stackalloc byte[longest];
        int opened;
        DriverApi.cuDeviceGet(&opened, ordinal).Check($"opening GPU {ordinal}");
        int device = opened;
        DriverApi.cuDeviceGetName(text, longest, device).Check($"asking GPU {ordinal} for its name");
        string name = NativeText.Read(text);
        DriverApi.cuDeviceGetPCIBusId(text, longest, device).Check($"asking GPU {ordinal} for its bus");
        string bus = NativeText.Read(text);
        nuint memory;
        DriverApi.cuDeviceTotalMem_v2(&memory, device).Check($"asking GPU {ordinal} for its memory");
        Guid16 uuid;
        DriverApi.cuDeviceGetUuid_v2(&uuid, device).Check($"asking GPU {ordinal} for its UUID");
        string hex = Convert.ToHexStringLower(new ReadOnlySpan<byte>(uuid.Bytes, 16));
        return new CudaGpu
        {
            Ordinal = ordinal,
            Name = name,
            Capability = new(Ask(DeviceAttribute.ComputeCapabilityMajor), Ask(DeviceAttribute.ComputeCapabilityMinor)),
            Memory = new Bytes((long)memory),
            Multiprocessors = Ask(DeviceAttribute.MultiprocessorCount),
            ThreadsPerMultiprocessor = Ask(DeviceAttribute.MaxThreadsPerMultiprocessor),
            SharedMemoryPerBlock = new Bytes(Ask(DeviceAttribute.MaxSharedMemoryPerBlockOptIn)),
            L2Cache = new Bytes(Ask(DeviceAttribute.L2CacheBytes)),
            CopyEngines = Ask(DeviceAttribute.AsyncEngineCount),
            PciBusId = bus,
            Uuid = $"GPU-{hex[..8]}-{hex[8..12]}-{hex[12..16]}-{hex[16..20]}-{hex[20..]}",
            Handle = device,
        };

        int Ask(DeviceAttribute attribute)
        {
            int value;
            DriverApi.cuDeviceGetAttribute(&value, attribute, device).Check($"asking GPU {ordinal} for {attribute}");
            return value;
        }
    }
}
