using System.Runtime.InteropServices;
using Dataflow.Cpu;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow;

/// <summary>What a plan runs on.</summary>
public enum DeviceKind
{
    /// <summary>The CPU, with both arenas in its memory.</summary>
    Cpu,

    /// <summary>The first NVIDIA GPU.</summary>
    Cuda,

    /// <summary>The same device code over the emulated driver: for checks, in a checkout.</summary>
    CudaEmulated,
}

/// <summary>Whether steps of a GPU are launched as CUDA graphs.</summary>
public enum GraphUse
{
    /// <summary>Where the simulator says that launches bind, and the budget has room for a graph.</summary>
    Auto,

    /// <summary>They are.</summary>
    On,

    /// <summary>They are launched op by op.</summary>
    Off,
}

/// <summary>Where a plan runs.</summary>
/// <param name="Kind">Which device.</param>
/// <param name="Threads">Threads of the CPU's kernels.</param>
/// <param name="Interleaving">Seed of the adversarial device, or of the emulated driver's order; null is the ordinary one.</param>
public sealed record DeviceOptions(DeviceKind Kind, int Threads, int? Interleaving)
{
    private static readonly Lazy<bool> s_hasGpu = new(HasGpu);

    /// <summary>Whether steps of training are launched as CUDA graphs; results do not depend on it.</summary>
    public GraphUse Graphs { get; init; }

    /// <summary>The CPU, with all its processors.</summary>
    public static DeviceOptions Cpu => new(DeviceKind.Cpu, Environment.ProcessorCount, null);

    /// <summary>The first NVIDIA GPU where there is one that can be used, else the CPU.</summary>
    public static DeviceOptions Auto => Named("auto");

    /// <summary>A device by its name: cpu, cuda, cuda-emulated, or auto, which is cuda where there is one, else cpu.</summary>
    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static DeviceOptions Named(string name) => Cpu with
    {
        Kind = name switch
        {
            "cuda" => DeviceKind.Cuda,
            "cuda-emulated" => DeviceKind.CudaEmulated,
            "cpu" => DeviceKind.Cpu,
            "auto" => s_hasGpu.Value ? DeviceKind.Cuda : DeviceKind.Cpu,
            _ => throw new UserErrorException($"'{name}' is no device; choose cpu, cuda, cuda-emulated or auto"),
        },
    };

    /// <summary>As the option --device takes it.</summary>
    public string Name => Kind switch
    {
        DeviceKind.Cuda => "cuda",
        DeviceKind.CudaEmulated => "cuda-emulated",
        _ => "cpu",
    };

    /// <summary>The GPU that it is; null for the CPU.</summary>
    /// <exception cref="MachineException">There is none that can be used.</exception>
    public CudaGpu? Gpu => Kind == DeviceKind.Cpu ? null : GpuAccess.First(Kind == DeviceKind.CudaEmulated);

    /// <summary>Makes the device, with the arenas of the plan.</summary>
    /// <exception cref="MachineException">The machine lacks what it takes.</exception>
    public IDevice Create(TrainingPlan plan) => Create(plan.Schedule, plan.Workload);

    /// <summary>Makes the device with the arenas of a schedule.</summary>
    /// <exception cref="MachineException">The machine lacks what it takes.</exception>
    public IDevice Create(Schedule schedule, Workload workload) => Create(schedule, workload, null);

    /// <summary>The same, and how a GPU runs steps; null: op by op.</summary>
    /// <exception cref="MachineException">The machine lacks what it takes.</exception>
    internal IDevice Create(Schedule schedule, Workload workload, CudaDeviceSettings? settings) =>
        Refusal(OperatingSystem.IsLinux(), RuntimeInformation.ProcessArchitecture, RuntimeInformation.OSDescription) is { } refusal
            ? throw new MachineException(refusal)
            : Kind switch
            {
                DeviceKind.Cuda or DeviceKind.CudaEmulated => Annotated(schedule, () => OnGpu(schedule, workload, settings)),
                _ => Interleaving is { } seed
                    ? new InterleavedCpuDevice(schedule, workload, Threads, seed)
                    : new CpuDevice(schedule, workload, Threads),
            };

    /// <summary>Why a system has no device of ours; null where it may have.</summary>
    internal static string? Refusal(bool linux, Architecture processor, string system) => linux && processor == Architecture.X64
        ? null
        : $"training runs on Linux on x86-64, and this is {system} on {processor}: plans can be made and simulated here, and run there";

    private static bool HasGpu()
    {
        try
        {
            return CudaLibraries.Locate(CudaLibrary.Driver) is not null && CudaGpu.All().Count > 0;
        }
        catch (MachineException)
        {
            return false; // what is wrong with it is said to those who ask for it by name
        }
    }

    /// <summary>Where a profiler listens, it is told what is launched; it is looked for before streams are made, which get names.</summary>
    private static ITimedDevice Annotated(Schedule schedule, Func<CudaDevice> create)
    {
        var profiler = Nvtx.Listen(KernelFolders.NvtxShim);
        profiler?.NameThread("launches");
        return profiler is null ? create() : new AnnotatedDevice(create(), schedule, profiler);
    }

    private CudaDevice OnGpu(Schedule schedule, Workload workload, CudaDeviceSettings? settings)
    {
        var gpu = Gpu!;
        if (CudaEmulation.IsOn)
        {
            CudaEmulation.Seed((ulong)(Interleaving ?? 0));
        }

        var context = CudaContext.Open(gpu);
        var chosen = (settings ?? new CudaDeviceSettings()) with { Products = ProductFiles.For(gpu) };
        return new CudaDevice(schedule, workload, context, GpuAccess.KernelsFor(gpu), chosen);
    }
}
