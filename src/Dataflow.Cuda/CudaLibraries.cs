using System.Runtime.InteropServices;
using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>A library of NVIDIA's that is needed is not on this machine; the message says which and what to install.</summary>
public sealed class MissingLibraryException(CudaLibrary library, string message) : MachineException(message)
{
    /// <summary>Which one.</summary>
    public CudaLibrary Library { get; } = library;
}

/// <summary>
/// Where the native libraries come from. The choice holds for the whole process: the runtime binds each function once, on its first
/// call, and so does this class.
/// </summary>
public static class CudaLibraries
{
    /// <summary>Names folders to look in before the system's, several with colons between them.</summary>
    public const string FoldersVariable = "DATAFLOW_CUDA_LIBRARIES";

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<CudaLibrary, LibrarySearch.Found> s_loaded = [];
    private static readonly List<string> s_folders = [];

    /// <summary>The shared library that plays driver, cuBLASLt, cuDNN and NVML; null where the real ones are used.</summary>
    public static string? Emulation { get; private set; }

    /// <summary>Looks into this folder too, after those of <see cref="FoldersVariable"/> and before the system's.</summary>
    public static void AddFolder(string folder)
    {
        lock (s_gate)
        {
            if (!s_folders.Contains(folder))
            {
                s_folders.Add(folder);
            }
        }
    }

    /// <summary>
    /// From now on driver, cuBLASLt, cuDNN and NVML are this one library, which runs kernels on the CPU (native/emulation).
    /// </summary>
    /// <exception cref="MachineException">It is not there, or cannot be loaded.</exception>
    /// <exception cref="InvalidOperationException">One of them is in use already.</exception>
    public static void UseEmulation(string library)
    {
        string path = Path.GetFullPath(library);
        lock (s_gate)
        {
            if (Emulation == path)
            {
                return;
            }

            nint handle;
            try
            {
                handle = NativeLibrary.Load(path);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                throw new MachineException(File.Exists(path)
                    ? $"the emulated driver {path} cannot be loaded; build it anew with `make emulation`"
                    : $"the emulated driver {path} does not exist: `make emulation` builds it in a checkout");
            }

            if (s_loaded.Keys.Any(IsEmulated))
            {
                throw new InvalidOperationException(
                    "the choice between the real and the emulated driver comes before the first call of either"
                );
            }

            foreach (var emulated in Enum.GetValues<CudaLibrary>().Where(IsEmulated))
            {
                s_loaded[emulated] = new LibrarySearch.Found(handle, path);
            }

            Emulation = path;
        }
    }

    /// <summary>The file that a library is loaded from, which it is by this; null where it is missing.</summary>
    public static string? Locate(CudaLibrary library) => TryLoad(library, out _)?.File;

    /// <summary>Why a library is missing, and what to do; null where it is not.</summary>
    public static string? Lack(CudaLibrary library) => TryLoad(library, out string why) is null ? why : null;

    /// <summary>The file names that are tried, newest first.</summary>
    public static IReadOnlyList<string> FileNames(CudaLibrary library) => LibraryFile.Of(library).FileNames;

    /// <exception cref="MissingLibraryException">It is on this machine in no place that is looked at.</exception>
    internal static nint Load(CudaLibrary library) =>
        TryLoad(library, out string why)?.Handle ?? throw new MissingLibraryException(library, why);

    private static bool IsEmulated(CudaLibrary library) => library != CudaLibrary.Nvrtc;

    private static LibrarySearch.Found? TryLoad(CudaLibrary library, out string why)
    {
        why = "";
        lock (s_gate)
        {
            if (s_loaded.TryGetValue(library, out var known))
            {
                return known;
            }

            if (library == CudaLibrary.Cudnn && CudnnLack() is { } lack)
            {
                why = lack;
                return null;
            }

            int? cudaMajor = library is CudaLibrary.Nvrtc or CudaLibrary.CublasLt && Emulation is null ? DriverMajor() : null;
            var search = new LibrarySearch(Environment.GetEnvironmentVariable(FoldersVariable), s_folders, NativeLibrary.TryLoad);
            if (search.Find(LibraryFile.Of(library), cudaMajor, out why) is not { } found)
            {
                return null;
            }

            s_loaded[library] = found;
            return found;
        }
    }

    // cuDNN ends the process where it does not find cuBLASLt, so it is found first.
    private static string? CudnnLack() =>
        TryLoad(CudaLibrary.CublasLt, out string why) is null ? $"cuDNN cannot be loaded without cuBLASLt: {why}" : null;

    // Asked by hand: the bindings would fail where there is no driver, and here that is no fault.
    private static unsafe int? DriverMajor()
    {
        int version = 0;
        return TryLoad(CudaLibrary.Driver, out _) is { } driver
            && NativeLibrary.TryGetExport(driver.Handle, "cuDriverGetVersion", out nint ask)
            && ((delegate* unmanaged<int*, int>)ask)(&version) == 0 && version >= 1000
            ? version / 1000
            : null;
    }
}
