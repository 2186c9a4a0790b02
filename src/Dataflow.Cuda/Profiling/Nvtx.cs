using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>A profiler that listens to this process (Nsight Systems, and others that speak NVTX).</summary>
public sealed class Nvtx
{
    private static readonly Lock s_gate = new();
    private static Nvtx? s_listening;

    private Nvtx(NvtxApi api) => Api = api;

    /// <summary>The profiler that was found; null while none was looked for, or none listens.</summary>
    public static Nvtx? Listening => Volatile.Read(ref s_listening);

    internal NvtxApi Api { get; }

    /// <summary>Looks for one through the shim of native/nvtx.</summary>
    /// <param name="shim">Its file; where there is none, none listens.</param>
    public static Nvtx? Listen(string shim)
    {
        lock (s_gate)
        {
            if (s_listening is null && NvtxApi.Start(shim) is { } api)
            {
                s_listening = new Nvtx(api);
            }

            return s_listening;
        }
    }

    /// <summary>Names the calling thread.</summary>
    public void NameThread(string name) => Api.NameThread(name);
}
