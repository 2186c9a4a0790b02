using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>What everything else was measured on: GPU, driver, libraries, host.</summary>
internal sealed class MachineStage : Stage
{
    /// <inheritdoc/>
    public override string Name => "machine";

    /// <inheritdoc/>
    public override string Title => "machine, versions and a preflight of its memory";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(60);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) => ["versions", "preflight", "cudnn"];

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(name == "preflight" ? 30 : 5);

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say) =>
        name switch
        {
            "preflight" => Preflight.Run(settings, say),
            "cudnn" => Cudnn(settings),
            _ => Versions(settings, say),
        };

    // With this text graphs can be planned elsewhere, without a GPU, as this one would have them planned.
    private static CaseResult Cudnn(CheckSettings settings)
    {
        var gpu = settings.OpenGpu();
        if ((settings.Emulated ? "the emulated cuDNN has no device properties" : CudaLibraries.Lack(CudaLibrary.Cudnn)) is { } lack)
        {
            return new CaseResult(Verdict.Missing, lack);
        }

        using var context = CudaContext.Open(gpu);
        string text = CudnnDeviceProperties.Read(gpu), release = CudnnHandle.LibraryVersion.ToString();
        return CaseResult.Of(text.Length > 0, $"cuDNN {release}: {text.Length} bytes of device properties",
            new JsonObject { ["cudnn"] = release, ["device_properties"] = text });
    }

    private static CaseResult Versions(CheckSettings settings, Action<string> say)
    {
        var gpu = settings.OpenGpu();
        using var monitor = GpuMonitor.Open(gpu);
        string cuda = CudaGpu.DriverVersion().ToString();
        string blas = CublasLt.LibraryVersion.ToString();
        var libraries = new JsonObject();
        foreach (var library in Enum.GetValues<CudaLibrary>())
        {
            // Names of files, not of folders: results are shared, machines are not.
            libraries[library.ToString()] = CudaLibraries.Locate(library) is { } file ? Path.GetFileName(file) : "missing";
            say($"{library}: {CudaLibraries.Locate(library) ?? CudaLibraries.Lack(library)}");
        }

        var memory = monitor.Memory();
        var figures = new JsonObject
        {
            ["gpu"] = gpu.Name,
            ["compute_capability"] = gpu.Capability.ToString(),
            ["multiprocessors"] = gpu.Multiprocessors,
            ["device_memory_bytes"] = gpu.Memory.Value,
            ["device_memory_used_before_bytes"] = memory.Used.Value,
            ["shared_memory_per_block_bytes"] = gpu.SharedMemoryPerBlock.Value,
            ["l2_bytes"] = gpu.L2Cache.Value,
            ["copy_engines"] = gpu.CopyEngines,
            ["numa_node"] = gpu.NumaNode,
            ["driver"] = monitor.DriverVersion(),
            ["cuda"] = cuda,
            ["cublaslt"] = blas,
            ["libraries"] = libraries,
            ["kernels"] = GpuAccess.KernelsFor(gpu).Description,
            ["clock_mhz"] = monitor.Clock(),
            ["max_clock_mhz"] = monitor.MaxClock(),
            ["memory_clock_mhz"] = monitor.MemoryClock(),
            ["watts"] = monitor.Watts(),
            ["watts_limit"] = monitor.WattsLimit(),
            ["cores"] = Environment.ProcessorCount,
            ["host_memory_bytes"] = MachineMemory.Read().Total.Value,
            ["runtime"] = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
            ["compiled_ahead"] = new JsonArray([
                .. Directory
                    .GetFiles(AppContext.BaseDirectory, "*.dll")
                    .Where(CompiledImages.IsCompiled)
                    .Select(f => (JsonNode)Path.GetFileNameWithoutExtension(f)),
            ]),
            ["doctor"] = JsonNode.Parse(DoctorReport.Json(Diagnosis.Of(MachineSurvey.Take()))),
        };
        return CaseResult.Of(
            true,
            $"{gpu.Name}, {gpu.Multiprocessors} multiprocessors, {gpu.Memory}, driver {monitor.DriverVersion()}, CUDA {cuda}, cuBLASLt "
                + $"{blas}; "
                + $"{Environment.ProcessorCount} cores, {MachineMemory.Read().Total} of host memory",
            figures
        );
    }
}
