using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>The shim of native/nvtx. Bound by hand: where it is missing nothing is wrong.</summary>
internal sealed unsafe class NvtxApi
{
    private readonly delegate* unmanaged<byte*, nint> domain;
    private readonly delegate* unmanaged<nint, byte*, nint> text;
    private readonly delegate* unmanaged<nint, nint, byte*, void> push;
    private readonly delegate* unmanaged<nint, void> pop;
    private readonly delegate* unmanaged<byte*, void> nameThread;
    private readonly delegate* unmanaged<nint, byte*, void> nameStream;

    private NvtxApi(nint library)
    {
        domain = (delegate* unmanaged<byte*, nint>)NativeLibrary.GetExport(library, "dataflowNvtxDomain");
        text = (delegate* unmanaged<nint, byte*, nint>)NativeLibrary.GetExport(library, "dataflowNvtxText");
        push = (delegate* unmanaged<nint, nint, byte*, void>)NativeLibrary.GetExport(library, "dataflowNvtxPush");
        pop = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(library, "dataflowNvtxPop");
        nameThread = (delegate* unmanaged<byte*, void>)NativeLibrary.GetExport(library, "dataflowNvtxNameThread");
        nameStream = (delegate* unmanaged<nint, byte*, void>)NativeLibrary.GetExport(library, "dataflowNvtxNameStream");
    }

    /// <summary>The shim, if it is there and a profiler listens.</summary>
    public static NvtxApi? Start(string file) =>
        NativeLibrary.TryLoad(file, out nint library) && NativeLibrary.TryGetExport(library, "dataflowNvtxStart", out nint start)
        && ((delegate* unmanaged<int>)start)() != 0
            ? new NvtxApi(library)
            : null;

    public nint Domain(string name)
    {
        fixed (byte* bytes = NativeText.Of(name))
        {
            return domain(bytes);
        }
    }

    public nint Text(nint within, string value)
    {
        fixed (byte* bytes = NativeText.Of(value))
        {
            return text(within, bytes);
        }
    }

    public void Push(nint within, nint kept, ReadOnlySpan<byte> otherwise)
    {
        fixed (byte* bytes = otherwise)
        {
            push(within, kept, bytes);
        }
    }

    public void Pop(nint within) => pop(within);

    public void NameThread(string name)
    {
        fixed (byte* bytes = NativeText.Of(name))
        {
            nameThread(bytes);
        }
    }

    public void NameStream(CudaStream stream, string name)
    {
        fixed (byte* bytes = NativeText.Of(name))
        {
            nameStream(stream.Value, bytes);
        }
    }
}
