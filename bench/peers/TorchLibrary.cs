using System.Runtime.InteropServices;
using TorchSharp;

namespace Dataflow.Peers;

/// <summary>
/// Loads libtorch from .cache/torch of the checkout, where fetch-torch.sh put it, before TorchSharp looks for it by name: the loader finds
/// what is loaded already.
/// </summary>
public static partial class TorchLibrary
{
    private const int LazyGlobal = 0x101; // RTLD_LAZY | RTLD_GLOBAL

    /// <summary>Loads it, before anything else of TorchSharp is used.</summary>
    /// <param name="threads">That it computes with; its results depend on them.</param>
    public static void Load(int threads)
    {
        string folder = Path.Combine(FindRoot(), ".cache", "torch"), binding = Path.Combine(folder, "libLibTorchSharp.so");
        if (!File.Exists(binding))
        {
            throw new InvalidOperationException($"{binding} is missing: run `make torch`");
        }

        // There where the system's libstdc++ lacks what the binding asks of it.
        string lacking = Path.Combine(folder, "libios-base-init.so");
        if (File.Exists(lacking) && Open(lacking, LazyGlobal) == 0)
        {
            throw new InvalidOperationException($"{lacking} could not be loaded: remove {folder} and run `make torch`");
        }

        NativeLibrary.Load(binding);
        torch.set_num_threads(threads);
    }

    // What the runtime loads is seen by no other library.
    [LibraryImport("libc.so.6", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Open(string path, int flags);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} holds Dataflow.sln: run this program where it was built."
        );
    }
}
