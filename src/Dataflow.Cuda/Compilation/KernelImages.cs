using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>Where a device's compiled kernels come from.</summary>
public abstract class KernelImages
{
    /// <summary>For people: "sm_90a".</summary>
    public abstract string Description { get; }

    /// <summary>Loads a file of kernels by its name: "rms_norm".</summary>
    /// <exception cref="MachineException">There is none for this GPU and none can be compiled.</exception>
    public abstract CudaModule Load(CudaContext context, string kernel);

    /// <summary>Those compiled ahead, the best for a GPU; compiled anew where sources were changed since.</summary>
    /// <param name="gpu">What they are to run on.</param>
    /// <param name="store">Where they lie, and where new ones are kept.</param>
    /// <param name="sources">What they are held against; null where there are none: then images are taken as they are.</param>
    public static KernelImages For(ComputeCapability gpu, KernelStore store, KernelSources? sources) =>
        new CompiledKernelImages(gpu, store, sources);

    /// <summary>Kernels compiled by g++ for the emulated driver.</summary>
    /// <param name="folder">artifacts/emulation.</param>
    public static KernelImages Emulated(string folder) => new SharedLibraries(folder);

    private sealed class SharedLibraries(string folder) : KernelImages
    {
        public override string Description => "compiled for the CPU";

        public override CudaModule Load(CudaContext context, string kernel)
        {
            string path = Path.GetFullPath(Path.Combine(folder, kernel + ".so"));
            return File.Exists(path)
                ? CudaModule.LoadFile(context, kernel, path)
                : throw new MachineException($"{path} does not exist: `make emulation` compiles the kernels for the emulated driver");
        }
    }
}
