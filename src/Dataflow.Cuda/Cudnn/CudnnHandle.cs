using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>cuDNN for one context. It has met no GPU yet.</summary>
public sealed unsafe class CudnnHandle : CudaHandle
{
    private readonly string gpu;

    private CudnnHandle(CudaContext of) => gpu = $"GPU {of.Gpu.Ordinal} ({of.Gpu.Name})";

    /// <summary>The release that is loaded.</summary>
    /// <exception cref="MissingLibraryException">
    /// It is not installed, or cuBLASLt is not, without which it would end the process.
    /// </exception>
    public static Version LibraryVersion => CudnnTarget.ReleaseOf((long)CudnnApi.cudnnGetVersion());

    /// <summary>Opens the library for a context, which is current on this thread.</summary>
    /// <exception cref="MissingLibraryException">It is not installed, or what it needs is not.</exception>
    /// <exception cref="CudaException">It does not start.</exception>
    public static CudnnHandle Open(CudaContext context)
    {
        if (CudnnNeeds.Lack(LibraryVersion, CudaLibraries.Lack(CudaLibrary.Nvrtc)) is { } lack)
        {
            throw new MissingLibraryException(CudaLibrary.Nvrtc, lack);
        }

        var library = new CudnnHandle(context);
        nint handle;
        CudnnApi.cudnnCreate(&handle).Check($"starting cuDNN on {library.gpu}");
        library.Adopt(handle, context);
        return library;
    }

    /// <summary>What it runs from now on runs in the stream's order.</summary>
    public void Use(CudaStream stream) => CudnnApi.cudnnSetStream(this, stream).Check("giving cuDNN its stream");

    /// <inheritdoc/>
    private protected override void Release(nint value) => _ = CudnnApi.cudnnDestroy(value);
}
