using System.Runtime.Intrinsics;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow;

/// <summary>Collects <see cref="MachineFacts"/> from this machine. Changes nothing on it.</summary>
public static class MachineSurvey
{
    /// <summary>As of now.</summary>
    public static MachineFacts Take()
    {
        string? memInfo = ProcText.Of("/proc/meminfo");
        string? limits = ProcText.Of("/proc/self/limits");
        string? status = ProcText.Of("/proc/self/status");
        var memory = MachineMemory.Read();
        KernelFolders.UseFetchedLibraries();
        string? demoText = Locations.Find("data", "kjv.txt");
        var (profiles, fault) = Profiles();
        return new MachineFacts
        {
            Processors = Environment.ProcessorCount,
            VectorBits = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
            CpuInfo = ProcText.Of("/proc/cpuinfo"),
            MemInfo = memInfo,
            Memory = memory,
            Limits = limits,
            Status = status,
            Pinned = LockedMemory.Probe(LockedMemory.Bound(Diagnosis.LockLimit(limits, status), memory.Available)),
            HugePages = ProcText.Of("/sys/kernel/mm/transparent_hugepage/enabled"),
            DriverText = ProcText.Of("/proc/driver/nvidia/version"),
            Libraries = Libraries(),
            Gpus = GpuSurvey.Read(),
            Kernels = Kernels(),
            DemoText = demoText,
            DemoTextSource = ProcText.Of(demoText + ".source")?.Trim(),
            Profiles = profiles,
            ProfilesFault = fault,
        };
    }

    private static LibraryFinding[] Libraries() =>
    [
        Look(CudaLibrary.Driver, Diagnosis.DriverLibrary, "any GPU run"),
        Look(CudaLibrary.Nvrtc, "nvrtc", "compiling changed kernels"),
        Look(CudaLibrary.CublasLt, "cublaslt", "matrix products on a GPU"),
        Look(CudaLibrary.Cudnn, "cudnn", "the fused attention of cuDNN (optional)"),
    ];

    private static LibraryFinding Look(CudaLibrary library, string name, string purpose) =>
        new(name, purpose, CudaLibraries.FileNames(library), CudaLibraries.Locate(library));

    private static List<(string Target, int Images)> Kernels()
    {
        var store = KernelFolders.Store;
        return
        [
            .. KernelTarget
                .Shipped.Select(t =>
                    (
                        t.Name,
                        Directory.Exists(Path.Combine(store.Folder, t.Name))
                            ? Directory.GetFiles(Path.Combine(store.Folder, t.Name), "*." + t.Extension).Length
                            : 0
                    )
                )
                .Where(t => t.Item2 > 0),
        ];
    }

    private static (IReadOnlyList<HardwareProfile> Profiles, string? Fault) Profiles()
    {
        try
        {
            return (HardwareFiles.All(), null);
        }
        catch (UserErrorException e)
        {
            return ([], e.Message);
        }
    }
}
