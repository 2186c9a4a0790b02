namespace Dataflow.Cuda.Interop;

/// <summary>What there is to know about a library before it is loaded.</summary>
/// <param name="Library">Which one.</param>
/// <param name="LogicalName">As the bindings name it.</param>
/// <param name="FileNames">Newest first; each says the CUDA version it belongs to, if any.</param>
/// <param name="Lack">The beginning of the sentence when none is found.</param>
/// <param name="Remedy">What to install.</param>
internal sealed record LibraryFile(CudaLibrary Library, string LogicalName, string[] FileNames, string Lack, string Remedy)
{
    public const string Driver = "cuda";
    public const string Nvrtc = "nvrtc";
    public const string CublasLt = "cublasLt";
    public const string Cudnn = "cudnn";
    public const string Nvml = "nvml";

    private const string OrFolder = $"or name the folder that holds it in {CudaLibraries.FoldersVariable}";

    public static IReadOnlyList<LibraryFile> All { get; } =
    [
        new(
            CudaLibrary.Driver,
            Driver,
            ["libcuda.so.1"],
            "there is no NVIDIA driver",
            "on a machine with an NVIDIA GPU install driver 525 or newer, or give the container the GPU (--gpus all); without one train "
                + "on the CPU device"
        ),
        new(
            CudaLibrary.Nvrtc,
            Nvrtc,
            ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"],
            "NVRTC, the compiler for kernels, was not found",
            $"`make setup` fetches it into a checkout; elsewhere install libnvrtc of CUDA 12 or 13, {OrFolder}"
        ),
        new(
            CudaLibrary.CublasLt,
            CublasLt,
            ["libcublasLt.so.13", "libcublasLt.so.12"],
            "cuBLASLt, which multiplies matrices on the GPU, was not found",
            $"install libcublas of CUDA 12 or 13, {OrFolder} (of Python's wheels: the folder that holds nvidia/)"
        ),
        new(CudaLibrary.Cudnn, Cudnn, ["libcudnn.so.9"], "cuDNN was not found", $"install cuDNN 9, {OrFolder}; attention does not need it"),
        new(
            CudaLibrary.Nvml,
            Nvml,
            ["libnvidia-ml.so.1"],
            "NVML, which comes with the NVIDIA driver, was not found",
            "install the driver's libraries completely, or give the container the utility capability "
                + "(NVIDIA_DRIVER_CAPABILITIES=compute,utility)"
        ),
    ];

    public static LibraryFile Of(CudaLibrary library) => All.First(f => f.Library == library);

    /// <summary>13 of libnvrtc.so.13, 1 of libcuda.so.1.</summary>
    public static int MajorOf(string fileName) =>
        int.Parse(fileName.Split(".so.")[1].Split('.')[0], System.Globalization.CultureInfo.InvariantCulture);
}
