using Dataflow.Model;

namespace Dataflow.Cuda.Emulated.Tests.Cudnn;

/// <summary>The emulated cuDNN is that release, until this is disposed of.</summary>
internal sealed class EmulatedRelease : IDisposable
{
    private readonly long before;

    public EmulatedRelease(CudnnTarget target)
    {
        Target = target;
        _ = EmulatedDriver.Gpu;
        before = Number(CudnnHandle.LibraryVersion);
        CudaEmulation.Set("cudnn_version", Number(target.Library));
    }

    public CudnnTarget Target { get; }

    public void Dispose() => CudaEmulation.Set("cudnn_version", before);

    private static long Number(Version release) => (release.Major * 10000) + (release.Minor * 100) + release.Build;
}
