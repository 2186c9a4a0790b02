using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>
/// Finds and loads one library: first in the folders given, each as it is, then as a site-packages folder of Python's wheels
/// (nvidia/*/lib below it), then where the system looks, then where CUDA is installed by hand.
/// </summary>
/// <param name="variable">The value of <see cref="CudaLibraries.FoldersVariable"/>.</param>
/// <param name="more">Folders after those.</param>
/// <param name="loader">Loads a file or a name.</param>
internal sealed class LibrarySearch(string? variable, IReadOnlyList<string> more, LibrarySearch.Loader loader)
{
    private static readonly string[] s_installed =
    [
        "/usr/local/cuda/lib64",
        "/usr/local/cuda-13/lib64",
        "/usr/local/cuda-12/lib64",
        "/usr/local/nvidia/lib64",
        "/opt/cuda/lib64",
        "/usr/lib/wsl/lib",
    ];

    // What each opens the next by a bare name: engines need the graph, the heuristics need both.
    private static readonly string[] s_partsOfCudnn =
    [
        "libcudnn_graph.so.9",
        "libcudnn_engines_runtime_compiled.so.9",
        "libcudnn_engines_precompiled.so.9",
        "libcudnn_engines_tensor_ir.so.9",
        "libcudnn_heuristic.so.9",
    ];

    /// <summary>As <see cref="NativeLibrary.TryLoad(string, out nint)"/>.</summary>
    public delegate bool Loader(string file, out nint handle);

    /// <summary>What was loaded.</summary>
    /// <param name="Handle">The system's handle of the library.</param>
    /// <param name="File">The full path, or the name that the system found.</param>
    public readonly record struct Found(nint Handle, string File);

    private string[] Named { get; } = (variable ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The first candidate that loads.</summary>
    /// <param name="library">What to look for.</param>
    /// <param name="cudaMajor">The newest CUDA that the driver runs: libraries of a newer one would load and then fail. Null if not
    /// known.</param>
    /// <param name="why">Where nothing was found: one sentence.</param>
    public Found? Find(LibraryFile library, int? cudaMajor, out string why)
    {
        string[] names =
        [
            .. library.FileNames.Where(n => cudaMajor is not { } most || !IsOfCuda(library.Library) || LibraryFile.MajorOf(n) <= most),
        ];
        var broken = new List<string>();
        var places = Named.Concat(more).SelectMany(WithWheels).Select(f => (string?)f).Append(null).Concat(s_installed);
        foreach (string? folder in places)
        {
            foreach (string name in names)
            {
                string file = folder is null ? name : Path.Combine(folder, name);
                if (folder is not null && !File.Exists(file))
                {
                    continue;
                }

                LoadCompanions(library.Library, folder, name);
                if (loader(file, out nint handle))
                {
                    why = "";
                    return new Found(handle, file);
                }

                if (folder is not null)
                {
                    broken.Add(file);
                }
            }
        }

        why = Explain(library, names, broken);
        return null;
    }

    private static bool IsOfCuda(CudaLibrary library) => library is CudaLibrary.Nvrtc or CudaLibrary.CublasLt;

    private static IEnumerable<string> WithWheels(string folder)
    {
        yield return folder;
        string wheels = Path.Combine(folder, "nvidia");
        if (Directory.Exists(wheels))
        {
            foreach (string package in Directory.EnumerateDirectories(wheels).Order(StringComparer.Ordinal))
            {
                yield return Path.Combine(package, "lib");
            }
        }
    }

    // NVRTC opens its builtins by a bare name and has no run path: where it is loaded by path, they must have been loaded before it. So
    // does cuDNN its parts.
    private void LoadCompanions(CudaLibrary library, string? folder, string name)
    {
        if (library == CudaLibrary.Cudnn && folder is not null)
        {
            foreach (string part in s_partsOfCudnn.Select(p => Path.Combine(folder, p)).Where(File.Exists))
            {
                _ = loader(part, out _);
            }
        }

        if (library == CudaLibrary.Nvrtc && folder is not null)
        {
            foreach (
                string builtins in Directory
                    .EnumerateFiles(folder, $"libnvrtc-builtins.so.{LibraryFile.MajorOf(name)}.*")
                    .Order(StringComparer.Ordinal)
            )
            {
                _ = loader(builtins, out _);
            }
        }
    }

    private string Explain(LibraryFile library, string[] names, List<string> broken)
    {
        string[] absent = [.. Named.Where(f => !Directory.Exists(f))];
        string tooNew = names.Length < library.FileNames.Length ? "; newer ones need a newer driver" : "";
        return $"{library.Lack} ({string.Join(" or ", names)}{tooNew}): {library.Remedy}"
            + (absent.Length > 0 ? $"; {CudaLibraries.FoldersVariable} names {string.Join(" and ", absent)}, where there is no folder" : "")
            + (broken.Count > 0 ? $"; {string.Join(" and ", broken)} {(broken.Count == 1 ? "is" : "are")} there but cannot be loaded" : "");
    }
}
