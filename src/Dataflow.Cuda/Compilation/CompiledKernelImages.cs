using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>Kernels compiled ahead: the best image whose sources are today's; where none is, one compiled now.</summary>
internal sealed class CompiledKernelImages(ComputeCapability gpu, KernelStore store, KernelSources? sources) : KernelImages
{
    private readonly KernelTarget[] targets = [.. KernelTarget.For(gpu, KernelTarget.Shipped)];

    public override string Description => targets.Length > 0 ? targets[0].Name : "none";

    public override CudaModule Load(CudaContext context, string kernel) => CudaModule.Load(context, kernel, Image(kernel));

    /// <summary>What <see cref="Load"/> loads.</summary>
    public byte[] Image(string kernel)
    {
        if (targets.Length == 0)
        {
            throw new MachineException($"kernels need a GPU of compute capability 8.0 or newer, and this one has {gpu}");
        }

        var source = sources?.Find(kernel);
        foreach (var target in targets)
        {
            if (store.Facts(kernel, target) is { } facts && (source is null || facts.Sources == source.Hash))
            {
                return Read(store.ImagePath(kernel, target));
            }
        }

        return source is null
            ? throw new MachineException(
                $"there are no kernels of {kernel} for sm_{gpu.Major}{gpu.Minor} in {store.Folder}: `make kernels` compiles them in a "
                    + $"checkout"
            )
            : Compile(source);
    }

    private byte[] Compile(KernelSource source)
    {
        var target = KernelTarget.Best(gpu, KernelCompiler.Supported());
        string compiler = KernelCompiler.Version;
        if (store.Facts(source.Name, target) is { } kept && kept.Sources == source.Hash)
        {
            return Read(store.ImagePath(source.Name, target));
        }

        var compiled = KernelCompiler.Compile(source, target);
        if (compiled.Fault is { } fault)
        {
            throw new UserErrorException($"{source.Name}.cu does not compile for {target}: {fault.ReplaceLineEndings(" ")}");
        }

        try
        {
            store.Write(source.Name, target, compiled.Image, new KernelImageFacts(source.Hash, compiler, compiled.EntryPoints));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that may not be written: the next run compiles again.
        }

        return compiled.Image;
    }

    private static byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"{path} cannot be read: {e.Message}");
        }
    }
}
