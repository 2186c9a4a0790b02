using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>A file of kernels, compiled for one target; or why it could not be.</summary>
/// <param name="Image">What the driver loads; empty where it was refused.</param>
/// <param name="EntryPoints">What its kernels take; empty for PTX, which is not assembled yet.</param>
/// <param name="Fault">What the compiler says is wrong; null where nothing is.</param>
/// <param name="Warnings">What else it says; empty where nothing.</param>
public sealed record CompiledKernel(byte[] Image, IReadOnlyList<EntryPoint> EntryPoints, string? Fault, string Warnings);

/// <summary>Compiles kernels by NVRTC: no GPU and no headers of CUDA's are needed.</summary>
public static unsafe class KernelCompiler
{
    /// <summary>For every kernel and target. Products and sums contract to fused multiply-adds; nothing is approximated.</summary>
    public static IReadOnlyList<string> Options { get; } = ["--std=c++17", "--fmad=true"];

    /// <summary>The compiler's version: "12.4".</summary>
    /// <exception cref="MissingLibraryException">There is no NVRTC.</exception>
    public static string Version
    {
        get
        {
            int major, minor;
            NvrtcApi.nvrtcVersion(&major, &minor).Check("asking NVRTC for its version");
            return $"{major}.{minor}";
        }
    }

    /// <summary>GPUs that the compiler knows, the oldest first.</summary>
    /// <exception cref="MissingLibraryException">There is no NVRTC.</exception>
    public static IReadOnlyList<ComputeCapability> Supported()
    {
        int count;
        NvrtcApi.nvrtcGetNumSupportedArchs(&count).Check("asking NVRTC what it compiles for");
        int[] numbers = new int[count];
        fixed (int* first = numbers)
        {
            NvrtcApi.nvrtcGetSupportedArchs(first).Check("asking NVRTC what it compiles for");
        }

        return [.. numbers.Order().Select(n => new ComputeCapability(n / 10, n % 10))];
    }

    /// <summary>Compiles one file of kernels for one target.</summary>
    /// <exception cref="CudaException">The compiler does not know the target, or fails itself.</exception>
    public static CompiledKernel Compile(KernelSource source, KernelTarget target)
    {
        using var program = NvrtcProgram.Create(source.Name + ".cu", source.Text, source.Headers);
        bool assembled = target.Form != KernelForm.Ptx;
        string[] options = [$"--gpu-architecture={target.Name}", .. Options, .. (string[])(assembled ? ["--ptxas-options=-v"] : [])];
        if (!program.Compile(options, out string log))
        {
            return new CompiledKernel([], [], log, "");
        }

        string warnings = string.Join(
                '\n',
                log.Split('\n')
                    .Where(l => !l.StartsWith("ptxas info", StringComparison.Ordinal) && !l.StartsWith("ptxas  ", StringComparison.Ordinal))
            )
            .Trim();
        return assembled
            ? new CompiledKernel(program.Cubin(), EntryPoint.ReadLog(log), null, warnings)
            : new CompiledKernel(program.Ptx(), [], null, warnings);
    }
}
