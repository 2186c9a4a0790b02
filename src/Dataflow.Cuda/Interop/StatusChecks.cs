using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>
/// Every function of the bindings returns a status, and this is what is done with it. The build refuses a call whose status is dropped
/// (IDE0058 in .editorconfig); where it does not matter, as in a release, the call says so with a discard.
/// </summary>
internal static unsafe class StatusChecks
{
    public static void Check(this DriverStatus status, string attempt)
    {
        if (status != DriverStatus.Success)
        {
            throw Failure(status, attempt);
        }
    }

    public static void Check(this DriverStatus status, [InterpolatedStringHandlerArgument(nameof(status))] ref AttemptText attempt)
    {
        if (status != DriverStatus.Success)
        {
            throw Failure(status, attempt.ToString());
        }
    }

    public static void Check(this BlasStatus status, string attempt)
    {
        if (status != BlasStatus.Success)
        {
            throw Failure(status, attempt);
        }
    }

    public static void Check(this BlasStatus status, [InterpolatedStringHandlerArgument(nameof(status))] ref AttemptText attempt)
    {
        if (status != BlasStatus.Success)
        {
            throw Failure(status, attempt.ToString());
        }
    }

    public static void Check(this NvrtcStatus status, string attempt)
    {
        if (status != NvrtcStatus.Success)
        {
            string text = NativeText.Read(NvrtcApi.nvrtcGetErrorString(status));
            throw new CudaException($"{attempt} failed: NVRTC answers {text} ({(int)status})", text);
        }
    }

    public static void Check(this NvmlStatus status, string attempt)
    {
        if (status != NvmlStatus.Success)
        {
            string text = NativeText.Read(NvmlApi.nvmlErrorString(status));
            throw new CudaException($"{attempt} failed: NVML answers {text} ({(int)status})", status.ToString());
        }
    }

    public static void Check(this CudnnStatus status, string attempt)
    {
        if (status != CudnnStatus.Success)
        {
            throw new CudaException($"{attempt} failed: {Explain(status)}", status.ToString());
        }
    }

    /// <summary>What a status of cuDNN means, and what it says of its last failure, where it says anything.</summary>
    public static string Explain(CudnnStatus status)
    {
        byte[] said = new byte[2048];
        fixed (byte* message = said)
        {
            CudnnApi.cudnnGetLastErrorString(message, (nuint)said.Length);
            string last = NativeText.Read(message).Trim().ReplaceLineEndings(" ");
            return $"cuDNN answers {NativeText.Read(CudnnApi.cudnnGetErrorString(status))} ({(int)status})"
                + (last.Length > 0 ? $": {last}" : "")
                + (Advice(status) is { } advice ? $"; {advice}" : "");
        }
    }

    /// <summary>The exception for a status of the driver, with more to say than what was attempted.</summary>
    public static CudaException Failure(DriverStatus status, string attempt, string? advice = null)
    {
        byte* name = null;
        byte* text = null;
        string code = DriverApi.cuGetErrorName(status, &name) == DriverStatus.Success ? NativeText.Read(name) : $"CUDA error {(int)status}";
        string meaning =
            DriverApi.cuGetErrorString(status, &text) == DriverStatus.Success
                ? NativeText.Read(text)
                : "an error that the driver has no text for";
        return new CudaException($"{attempt} failed: {meaning} ({code}){Rest(advice ?? Advice(status))}", code);
    }

    private static CudaException Failure(BlasStatus status, string attempt)
    {
        string code = NativeText.Read(CublasLtApi.cublasLtGetStatusName(status));
        return new CudaException(
            $"{attempt} failed: {NativeText.Read(CublasLtApi.cublasLtGetStatusString(status))} ({code}){Rest(Advice(status))}",
            code
        );
    }

    private static string Rest(string? advice)
    {
        string? said = CudaEmulation.LastError();
        return (said is null ? "" : $": {said}") + (advice is null ? "" : $"; {advice}");
    }

    private static string? Advice(BlasStatus status) =>
        status switch
        {
            BlasStatus.NotInitialized or BlasStatus.AllocationFailed =>
                "cuBLASLt needs some free memory of the GPU and a driver that is not older than the library: end what fills the GPU, "
                    + "install a newer driver, or fetch an older library (sh kernels/fetch-cuda.sh cublas)",
            BlasStatus.ArchitectureMismatch => "this library does not support the GPU: install a newer cuBLAS",
            _ => null,
        };

    private static string? Advice(CudnnStatus status) =>
        status switch
        {
            CudnnStatus.NotInitialized => "cuDNN needs a GPU whose driver is not older than the library",
            CudnnStatus.SublibraryVersionMismatch or CudnnStatus.SublibraryLoadingFailed =>
                "all libraries of cuDNN must lie beside libcudnn.so.9 and be of one release: install cuDNN anew",
            CudnnStatus.RuntimePrerequisiteMissing => "install libnvrtc of the CUDA that this cuDNN is for",
            _ => null,
        };

    private static string? Advice(DriverStatus status) =>
        status switch
        {
            DriverStatus.NoDevice =>
                "give the container the GPU (--gpus all), see that CUDA_VISIBLE_DEVICES names one, or train on the CPU device",
            DriverStatus.StubLibrary =>
                "this is the stub that programs are linked with: install the driver, or take the stub's folder out of the search path",
            DriverStatus.SystemDriverMismatch =>
                "the driver's kernel module and its libraries have different versions: restart the machine, or the container with the "
                    + "host's libraries",
            DriverStatus.SystemNotReady =>
                "the machine's fabric manager does not run, or the GPU is being set up: try again, or start nvidia-fabricmanager",
            DriverStatus.CompatibilityNotSupported => "remove the cuda-compat libraries: this GPU does not support them",
            DriverStatus.NoBinaryForGpu or DriverStatus.UnsupportedPtxVersion or DriverStatus.InvalidPtx =>
                "the kernels were not compiled for this GPU and driver: a newer driver helps, or `make kernels` on this machine",
            DriverStatus.EccUncorrectable => "the GPU's memory has a fault: reset it or use another one",
            DriverStatus.IllegalAddress or DriverStatus.MisalignedAddress or DriverStatus.LaunchFailed =>
                "this is a fault of the program, and the process cannot use the GPU any more",
            DriverStatus.NotInitialized or DriverStatus.Deinitialized => "the driver was not started, or is shutting down",
            _ => null,
        };
}
