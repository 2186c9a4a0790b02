using System.CommandLine;
using Dataflow.Cpu;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cli;

/// <summary>What a plan runs on.</summary>
internal enum DeviceKind
{
    /// <summary>The CPU, with both arenas in its memory.</summary>
    Cpu,

    /// <summary>The first NVIDIA GPU.</summary>
    Cuda,

    /// <summary>The same device code over the emulated driver: for checks, in a checkout.</summary>
    CudaEmulated,
}

/// <summary>Where a plan runs.</summary>
/// <param name="Threads">Threads of the CPU's kernels.</param>
/// <param name="Interleaving">Seed of the adversarial device, or of the emulated driver's order; null is the ordinary one.</param>
internal sealed record DeviceSettings(DeviceKind Kind, int Threads, int? Interleaving)
{
    /// <summary>The GPU that it is; null for the CPU.</summary>
    /// <exception cref="MachineException">There is none that can be used.</exception>
    public CudaGpu? Gpu => Kind == DeviceKind.Cpu ? null : GpuAccess.First(Kind == DeviceKind.CudaEmulated);

    /// <summary>The settings of a plan for this device: those of a GPU have its profile, where none was named.</summary>
    /// <exception cref="UserErrorException">There is no profile of the GPU.</exception>
    public PlanSettings Complete(PlanSettings plan) => plan with
    {
        OnGpu = Kind != DeviceKind.Cpu,
        Hardware = Kind == DeviceKind.Cuda && plan.Hardware is null ? HardwareFiles.OfGpu(Gpu!.Name) : plan.Hardware,
    };

    /// <summary>Makes the device, with the arenas of the plan.</summary>
    /// <exception cref="MachineException">The machine lacks what it takes.</exception>
    public IDevice Create(TrainingPlan plan) => Create(plan.Schedule, plan.Workload);

    /// <summary>Makes the device with the arenas of a schedule.</summary>
    /// <exception cref="MachineException">The machine lacks what it takes.</exception>
    public IDevice Create(Schedule schedule, Workload workload) =>
        Kind switch
        {
            DeviceKind.Cuda or DeviceKind.CudaEmulated => Annotated(schedule, () => OnGpu(schedule, workload)),
            _ => Interleaving is { } seed
                ? new InterleavedCpuDevice(schedule, workload, Threads, seed)
                : new CpuDevice(schedule, workload, Threads),
        };

    /// <summary>Where a profiler listens, it is told what is launched; it is looked for before streams are made, which get names.</summary>
    private static ITimedDevice Annotated(Schedule schedule, Func<CudaDevice> create)
    {
        var profiler = Nvtx.Listen(KernelFolders.NvtxShim);
        profiler?.NameThread("launches");
        return profiler is null ? create() : new AnnotatedDevice(create(), schedule, profiler);
    }

    private CudaDevice OnGpu(Schedule schedule, Workload workload)
    {
        var gpu = Gpu!;
        if (CudaEmulation.IsOn)
        {
            CudaEmulation.Seed((ulong)(Interleaving ?? 0));
        }

        return new CudaDevice(schedule, workload, CudaContext.Open(gpu), GpuAccess.KernelsFor(gpu));
    }
}

/// <summary>The options that choose a device.</summary>
internal sealed class DeviceOptions
{
    private const int MostThreads = 1024;
    private readonly Option<string?> device = Values.Option<string?>(
        "--device",
        "cpu|cuda|cuda-emulated|auto",
        "where to run: cuda is the first NVIDIA GPU, cuda-emulated the same code checked on the CPU (slow; in a checkout); auto is cuda "
            + "where there is one, else cpu",
        DeviceNamed
    );
    private readonly Option<int?> threads = Values.Option(
        "--threads",
        "N",
        "threads of the CPU; results do not depend on it [default: all processors]",
        Values.OptionalCount(1, MostThreads)
    );
    private readonly Option<int?> interleaving = Values.Option(
        "--interleaving",
        "SEED",
        "run ops one at a time in an adversarial order, with unused memory poisoned; for checks",
        Values.OptionalCount(0, int.MaxValue)
    );

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(device);
        command.Options.Add(threads);
        command.Options.Add(interleaving);
    }

    /// <summary>Adds to a command that plans what another one runs where it would run.</summary>
    public void AddKindTo(Command command) => command.Options.Add(device);

    /// <summary>What was given.</summary>
    /// <exception cref="MachineException">A GPU was asked for, and there is none that can be used.</exception>
    public DeviceSettings Bind(ParseResult parsed)
    {
        var kind = KindOf(parsed.GetValue(device));
        if (kind == DeviceKind.Cuda)
        {
            // Said before anything is planned or read.
            _ = CudaGpu.All();
        }

        if (kind == DeviceKind.Cuda && parsed.WasGiven(interleaving))
        {
            throw new UserErrorException(
                "--interleaving cannot order what a GPU does; leave it out, or give --device cpu or cuda-emulated"
            );
        }

        if (kind != DeviceKind.Cpu && parsed.WasGiven(threads))
        {
            throw new UserErrorException("--threads is of the CPU's kernels, and this runs on a GPU; leave it out, or give --device cpu");
        }

        return new DeviceSettings(kind, parsed.GetValue(threads) ?? Environment.ProcessorCount, parsed.GetValue(interleaving));
    }

    /// <summary>As --device takes it.</summary>
    public static string NameOf(DeviceKind kind) => kind switch
    {
        DeviceKind.Cuda => "cuda",
        DeviceKind.CudaEmulated => "cuda-emulated",
        _ => "cpu",
    };

    private static string DeviceNamed(string text) => text switch
    {
        "cpu" or "auto" or "cuda" or "cuda-emulated" => text,
        _ => throw new UserErrorException($"'{text}' is no device; choose cpu, cuda, cuda-emulated or auto"),
    };

    private static DeviceKind KindOf(string? text) => text switch
    {
        "cuda" => DeviceKind.Cuda,
        "cuda-emulated" => DeviceKind.CudaEmulated,
        "cpu" => DeviceKind.Cpu,
        _ => HasGpu() ? DeviceKind.Cuda : DeviceKind.Cpu,
    };

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
}
