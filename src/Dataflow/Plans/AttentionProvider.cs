using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>Who computes attention on a GPU.</summary>
public enum AttentionProvider
{
    /// <summary>Our own kernels, of every model.</summary>
    Own,

    /// <summary>cuDNN, of layers, recipes (those whose activations are bf16) and chunks that it is for; else our own kernels.</summary>
    Cudnn,
}

/// <summary>Providers by name, and the one of a plan.</summary>
public static class AttentionProviders
{
    /// <summary>All of them, as the option --attention takes them.</summary>
    public const string Choices = "own|cudnn";

    /// <summary>Its name.</summary>
    public static string NameOf(AttentionProvider provider) => provider == AttentionProvider.Cudnn ? "cudnn" : "own";

    /// <summary>The one of that name.</summary>
    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static AttentionProvider Named(string text) =>
        text switch
        {
            "own" => AttentionProvider.Own,
            "cudnn" => AttentionProvider.Cudnn,
            _ => throw new UserErrorException($"'{text}' computes no attention; choose own or cudnn"),
        };

    /// <summary>Who computes attention in a plan: "own", or "cudnn 9.28.1 sm90".</summary>
    internal static string Told(Geometry geometry) =>
        geometry.Cudnn is { } target ? $"{NameOf(AttentionProvider.Cudnn)} {target}" : NameOf(AttentionProvider.Own);

    /// <summary>
    /// By which cuDNN a plan has its attention computed; null: by our own kernels. That of the run that is gone on with; else what was
    /// asked for; else cuDNN where the machine's profile has it measured faster than ours, and the release is there.
    /// </summary>
    /// <exception cref="UserErrorException">
    /// cuDNN was asked for, and what is planned for has no GPU, or rows hold several documents.
    /// </exception>
    /// <exception cref="MissingLibraryException">cuDNN was asked for, and this machine lacks it.</exception>
    internal static AttentionByCudnn? Of(PlanOptions options, ModelConfig model)
    {
        if (options.Continued is { } run)
        {
            return run.Cudnn is { } target ? OfRun(target, options) : null;
        }

        var provider = options.Attention;
        if (provider == AttentionProvider.Own || (provider is null && options.IsPacked))
        {
            return null;
        }

        if (options.IsPacked)
        {
            throw new UserErrorException(
                "--attention cudnn is for rows of one document each, and rows of this data hold several: leave it out, or give --pack "
                    + "stream, with which attention crosses from one document into the next"
            );
        }

        var here = options.Device.Kind == DeviceKind.Cpu ? null : options.Device.Gpu;
        if ((here?.Capability ?? options.Hardware?.ComputeCapability) is not { } gpu)
        {
            return provider is null ? null
                : throw new UserErrorException(
                    "--attention cudnn computes on an NVIDIA GPU, and this plan is for a CPU: leave it out, or name a GPU with --hardware"
                );
        }

        return provider is null
            ? Measured(options, model, gpu, here)
            : new AttentionByCudnn(new CudnnTarget(Release(options, here), gpu), Pinned: true);
    }

    private static AttentionByCudnn OfRun(CudnnTarget target, PlanOptions options) => options.Device.Kind == DeviceKind.Cpu
        ? throw new UserErrorException(
            $"the checkpoint was made with attention by cuDNN {target}, on which results depend, and this run is on a CPU: give --device "
                + "cuda, or start a new run with the checkpoint as its model"
        )
        : new AttentionByCudnn(target, Pinned: true);

    // On a machine of its own the release that is there; else the one that was measured, or the newest that is known.
    private static Version Release(PlanOptions options, CudaGpu? here) =>
        here is not null ? CudnnHandle.LibraryVersion : options.Hardware?.Cudnn?.Release ?? CudnnTarget.Newest;

    private static AttentionByCudnn? Measured(PlanOptions options, ModelConfig model, ComputeCapability gpu, CudaGpu? here)
    {
        if (options.Hardware is not { Cudnn: { } rates } machine)
        {
            return null;
        }

        bool isThere = here is null || (CudaLibraries.Lack(CudaLibrary.Cudnn) is null && CudnnHandle.LibraryVersion == rates.Release);
        int queries = Math.Min(options.Seqlen, options.Chunk ?? PrefersAt);
        return isThere
            && new CostModel(machine, options.Recipe.Activations).PrefersCudnn(queries, options.Seqlen / 2.0, model.HeadDim)
            ? new AttentionByCudnn(new CudnnTarget(rates.Release, gpu), Pinned: false)
            : null;
    }

    // Tokens of a chunk, as plans for GPUs have them.
    private const int PrefersAt = 4096;
}
