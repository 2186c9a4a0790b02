using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>What the facts about a machine mean for training on it, and what to do: a function of the facts alone.</summary>
public static class Diagnosis
{
    /// <summary>The driver's name among the libraries.</summary>
    public const string DriverLibrary = "driver";

    private const string RaiseLimit =
        "for GPU runs raise it: `ulimit -l unlimited` as root, memlock in /etc/security/limits.conf, or --ulimit memlock=-1 for a "
            + "container; CPU runs pin nothing";

    private static readonly Bytes s_littleMemory = new(2L << 30);
    private static readonly Bytes s_littleLocked = new(1L << 30);

    /// <summary>All checks, in the order they are printed.</summary>
    public static IReadOnlyList<Check> Of(MachineFacts facts) =>
    [
        Cores(facts), Memory(facts), LockLimit(facts), Pinning(facts), HugePages(facts), Driver(facts), .. Gpus(facts),
        .. facts.Libraries.Where(l => l.Name != DriverLibrary).Select(Library),
        Kernels(facts),
        DemoText(facts), Profiles(facts),
    ];

    /// <summary>What this process may lock; nothing where that is not known.</summary>
    public static Bytes LockLimit(string? limits, string? status) =>
        ProcText.MayLockAnyAmount(status) ? new Bytes(long.MaxValue) : ProcText.LockedMemoryLimit(limits) ?? Bytes.Zero;

    private static Check Cores(MachineFacts facts)
    {
        string cores =
            $"{facts.Processors} "
                + $"{(facts.Processors == 1 ? "core" : "cores")}{(ProcText.ProcessorName(facts.CpuInfo) is { } name ? $" of {name}" : "")}";
        return facts.VectorBits switch
        {
            >= 512 => new Check("cores", CheckStatus.Ok, $"{cores}, vectors of 512 bits (AVX-512)"),
            >= 256 => new Check("cores", CheckStatus.Ok, $"{cores}, vectors of 256 bits (AVX2)"),
            _ => new Check(
                "cores",
                CheckStatus.Warn,
                $"{cores}, vectors of 128 bits",
                "CPU training is several times slower than with AVX2: use another machine for more than tests"
            ),
        };
    }

    private static Check Memory(MachineFacts facts)
    {
        const string name = "memory";
        if (facts.Memory is not { } memory)
        {
            return new Check(name, CheckStatus.Warn, "/proc/meminfo does not say how much there is", "give both budgets by hand");
        }

        string finding =
            $"{MemoryText.Memory(facts.MemInfo, "MemTotal") ?? memory.Total} in all, {memory.Available} to be had"
            + (
                memory.Limit is { } limit
                    ? $"; the control group {limit.Group} allows {limit.Limit} and uses {limit.Used}"
                    : "; no control group limits it"
            )
            + (memory.Growth is { } growth ? $"; it may grow: {growth.Sign}" : "");
        return memory.Growth is not null
                ? new Check(
                    name,
                    CheckStatus.Warn,
                    finding,
                    "give --host-memory by hand: what is free now is less than what a run may take"
                )
            : memory.Available >= s_littleMemory ? new Check(name, CheckStatus.Ok, finding)
            : new Check(
                name,
                CheckStatus.Warn,
                finding,
                memory.Limit is null
                    ? "end other programs, or give small budgets"
                    : "raise the limit of the control group (the container), or give small budgets"
            );
    }

    private static Check LockLimit(MachineFacts facts)
    {
        const string name = "locked-memory";
        if (ProcText.LockedMemoryLimit(facts.Limits) is not { } limit)
        {
            return new Check(name, CheckStatus.Warn, "/proc/self/limits does not name a limit", RaiseLimit);
        }

        string text = limit.Value == long.MaxValue ? "no limit" : $"limit {limit}";
        return ProcText.MayLockAnyAmount(facts.Status) && limit.Value < long.MaxValue
                ? new Check(name, CheckStatus.Ok, $"{text}, which does not bind this process (CAP_IPC_LOCK)")
            : limit >= s_littleLocked ? new Check(name, CheckStatus.Ok, text)
            : new Check(name, CheckStatus.Warn, text, RaiseLimit);
    }

    private static Check Pinning(MachineFacts facts)
    {
        var pinned = facts.Pinned;
        return pinned.Failure is not { } failure
            ? new Check(
                "pinning",
                pinned.Locked >= s_littleLocked ? CheckStatus.Ok : CheckStatus.Warn,
                $"{pinned.Locked} were locked for a moment, all that was tried",
                pinned.Locked >= s_littleLocked ? "" : "a GPU run pins its whole host budget: see locked-memory and memory"
            )
            : new Check(
                "pinning",
                pinned.Locked > Bytes.Zero ? CheckStatus.Warn : CheckStatus.Missing,
                $"{pinned.Locked} of {pinned.Tried} could be locked ({failure})",
                "a GPU run pins its whole host budget: see locked-memory and memory"
            );
    }

    private static Check HugePages(MachineFacts facts)
    {
        string reserved =
            MemoryText.Count(facts.MemInfo, "HugePages_Total") is { } count && MemoryText.Memory(facts.MemInfo, "Hugepagesize") is { } size
                ? $"; {count} of {size} reserved"
                : "";
        return ProcText.Chosen(facts.HugePages) switch
        {
            "always" => new Check("huge-pages", CheckStatus.Ok, $"transparent: always{reserved}"),
            { } other => new Check(
                "huge-pages",
                CheckStatus.Warn,
                $"transparent: {other}{reserved}",
                "large arenas are faster with them: `echo always > /sys/kernel/mm/transparent_hugepage/enabled` as root"
            ),
            null => new Check(
                "huge-pages",
                CheckStatus.Missing,
                $"this kernel has no transparent ones{reserved}",
                "nothing to do: runs are a little slower"
            ),
        };
    }

    private static Check Driver(MachineFacts facts)
    {
        var library = facts.Libraries.FirstOrDefault(l => l.Name == DriverLibrary);
        string? version = ProcText.DriverVersion(facts.DriverText);
        string module = version is null ? "no kernel module" : $"kernel module {version}";
        string cuda = facts.Gpus.CudaVersion is { } newest ? $", runs CUDA up to {newest}" : "";
        return (library?.Found, version) switch
        {
            ({ } found, { } _) => new Check("driver", CheckStatus.Ok, $"{found}, {module}{cuda}"),
            // A guest such as WSL has the driver's kernel part outside.
            ({ } found, null) when facts.Gpus.Gpus.Count > 0 => new Check("driver", CheckStatus.Ok, $"{found}{cuda}"),
            ({ } found, null) => new Check(
                "driver",
                CheckStatus.Warn,
                $"{found}, but {module}{cuda}",
                "the driver is installed and not running: load it (`modprobe nvidia`), or give the container the GPU"
            ),
            (null, { } _) => new Check(
                "driver",
                CheckStatus.Warn,
                $"{module}, but no libcuda.so.1",
                "install the driver's libraries of that version, or give the container the GPU (--gpus all)"
            ),
            _ => new Check(
                "driver",
                CheckStatus.Missing,
                "no libcuda.so.1 and no kernel module",
                "on a machine with an NVIDIA GPU install its driver; without one train on the CPU device"
            ),
        };
    }

    private static IEnumerable<Check> Gpus(MachineFacts facts)
    {
        if (facts.Gpus.Gpus.Count == 0 || facts.Gpus.Reason is not null)
        {
            yield return new Check("gpu", CheckStatus.Missing, $"none can be used: {facts.Gpus.Reason ?? "the driver sees no GPU"}",
                "train on the CPU device, and plan for any GPU by its hardware profile");
        }

        foreach (var gpu in facts.Gpus.Gpus)
        {
            string link = gpu is { LinkGeneration: > 0, LinkLanes: > 0 } ? $", PCIe gen{gpu.LinkGeneration} x{gpu.LinkLanes}" : "";
            string finding = $"{gpu.Name}, sm_{gpu.Capability.Major}{gpu.Capability.Minor}, {gpu.Memory}, {gpu.Free} free{link}";
            var profile = facts.Profiles.FirstOrDefault(p => p.DeviceNames.Contains(gpu.Name, StringComparer.Ordinal));
            yield return gpu.Capability < new ComputeCapability(8, 0)
                ? new Check("gpu", CheckStatus.Warn, finding, "too old: kernels need sm_80 or newer")
            : profile is null
                ? new Check(
                    "gpu",
                    CheckStatus.Warn,
                    $"{finding}; no hardware profile names it",
                    "plan with the profile of the nearest GPU, or write one (profiling/README.md)"
                )
            : new Check("gpu", CheckStatus.Ok, $"{finding}; hardware profile {profile.Name}");
        }
    }

    private static Check Library(LibraryFinding library) => library.Found is { } found
        ? new Check(library.Name, CheckStatus.Ok, found)
        : new Check(library.Name, CheckStatus.Missing, $"none of {string.Join(", ", library.Candidates)}",
            $"for {library.Purpose} install it, or name its folder in {CudaLibraries.FoldersVariable}");

    private static Check Kernels(MachineFacts facts) => facts.Kernels.Count > 0
        ? new Check("cubins", CheckStatus.Ok, string.Join(", ", facts.Kernels.Select(k => $"{k.Images} for {k.Target}")))
        : new Check("cubins", CheckStatus.Missing, "no compiled kernels", "`make kernels` compiles them; no GPU is needed for that");

    private static Check DemoText(MachineFacts facts) => facts.DemoText is { } path
        ? new Check("demo-text", CheckStatus.Ok, path + (string.IsNullOrEmpty(facts.DemoTextSource) ? "" : $": {facts.DemoTextSource}"))
        : new Check("demo-text", CheckStatus.Missing, "data/kjv.txt was not fetched", "`make text` fetches it; --data trains on any text");

    private static Check Profiles(MachineFacts facts) => facts.ProfilesFault is { } fault
        ? new Check("profiles", CheckStatus.Missing, fault, "correct that file, or restore profiling/hardware")
        : new Check("profiles", CheckStatus.Ok, $"{facts.Profiles.Count}: {string.Join(", ", facts.Profiles.Select(p => p.Name))}");
}
