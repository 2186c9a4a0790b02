using System.Runtime.InteropServices;

namespace Dataflow.Cli;

/// <summary>Looks for the CUDA driver and libraries: each is loaded, and freed at once.</summary>
internal static class CudaLibraries
{
    /// <summary>Folders to look in before the system's, several with colons between them.</summary>
    public const string FoldersVariable = "DATAFLOW_CUDA_PATH";

    /// <summary>The driver's name in the findings.</summary>
    public const string Driver = "driver";

    private static readonly (string Name, string Purpose, string[] Candidates)[] s_wanted =
    [
        (Driver, "any GPU run", ["libcuda.so.1"]),
        ("nvrtc", "compiling changed kernels", ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"]),
        ("cublaslt", "matrix products on a GPU", ["libcublasLt.so.13", "libcublasLt.so.12"]),
        ("cudnn", "the fused attention of cuDNN (optional)", ["libcudnn.so.9"]),
    ];

    /// <summary>What loads, in the order driver, compiler, libraries.</summary>
    public static IReadOnlyList<LibraryFinding> Find()
    {
        string[] folders = (Environment.GetEnvironmentVariable(FoldersVariable) ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return [.. s_wanted.Select(w => new LibraryFinding(w.Name, w.Purpose, w.Candidates, FirstThatLoads(folders, w.Candidates)))];
    }

    private static string? FirstThatLoads(string[] folders, string[] candidates) =>
        folders.SelectMany(folder => candidates.Select(name => Path.Combine(folder, name))).Concat(candidates).FirstOrDefault(Loads);

    private static bool Loads(string library)
    {
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            return false;
        }

        NativeLibrary.Free(handle);
        return true;
    }
}
