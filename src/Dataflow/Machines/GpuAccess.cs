using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow;

/// <summary>The GPU that programs of this project run on, and kernels for it.</summary>
public static class GpuAccess
{
    /// <summary>The first GPU, or the emulated one; from here on the libraries that `make setup` fetched are found too.</summary>
    /// <exception cref="MachineException">There is none that can be used.</exception>
    public static CudaGpu First(bool emulated)
    {
        KernelFolders.UseFetchedLibraries();
        if (emulated)
        {
            CudaLibraries.UseEmulation(Path.Combine(KernelFolders.Emulation, "libdataflow-emulation.so"));
        }

        return CudaGpu.All()[0];
    }

    /// <summary>Kernels for it: compiled ahead, or from the sources where these are newer.</summary>
    public static KernelImages KernelsFor(CudaGpu gpu) => CudaEmulation.IsOn
        ? KernelImages.Emulated(KernelFolders.Emulation)
        : KernelImages.For(gpu.Capability, KernelFolders.Store, KernelFolders.Sources is null ? null : KernelFolders.ReadSources());
}
