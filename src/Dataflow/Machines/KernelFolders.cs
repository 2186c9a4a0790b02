using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow;

/// <summary>Where kernels lie: sources and what was compiled from them, in the checkout or beside the program.</summary>
public static class KernelFolders
{
    private const string Header = "device.cuh";

    /// <summary>The sources' folder; null where there is none.</summary>
    public static string? Sources => Path.GetDirectoryName(Locations.Find("kernels", Header));

    /// <summary>Kernels compiled for GPUs: beside the sources, under artifacts.</summary>
    public static KernelStore Store => new(Beside("kernels"));

    /// <summary>Kernels compiled for the emulated driver, and that driver.</summary>
    public static string Emulation => Beside("emulation");

    /// <summary>What tells profilers the names of ranges; it may be missing.</summary>
    public static string NvtxShim => Path.Combine(Beside("nvtx"), "libdataflow-nvtx.so");

    /// <summary>The sources.</summary>
    /// <exception cref="MachineException">There are none.</exception>
    public static KernelSources ReadSources() =>
        KernelSources.Read(
            Sources
                ?? throw new MachineException(
                    $"the kernels' sources (kernels/{Header}) are neither above nor beside this program: run it in a checkout or from the "
                        + $"bundle"
                )
        );

    /// <summary>Lets the libraries that `make setup` fetched into the checkout be found.</summary>
    public static void UseFetchedLibraries()
    {
        foreach (string name in (string[])["nvrtc", "cublas"])
        {
            if (Locations.Find(".cache", name) is { } folder)
            {
                CudaLibraries.AddFolder(folder);
            }
        }
    }

    private static string Beside(string name) =>
        Path.Combine(Path.GetDirectoryName(Sources) ?? AppContext.BaseDirectory, "artifacts", name);
}
