using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>
/// Launches, copies and fills that were captured from streams. One call has all of them run again, in the order that streams and events
/// gave them, at the addresses and with the arguments that they were captured with.
/// </summary>
public sealed unsafe class CudaGraph : CudaHandle
{
    private readonly nint context;

    private CudaGraph(CudaContext of) => context = of.Value;

    /// <summary>Keeps what is appended to a stream, and to those that wait for it, instead of having it run.</summary>
    /// <param name="context">Of the GPU; the graph keeps it alive.</param>
    /// <param name="origin">Others join by waiting for an event that was recorded on it, and it waits for all of them at the end.</param>
    /// <param name="append">Appends; on this thread, without allocating and without waiting for anything.</param>
    /// <exception cref="CudaException">Something cannot be captured, or the GPU has no memory left for the graph; nothing has
    /// run.</exception>
    public static CudaGraph Capture(CudaContext context, CudaStream origin, Action append)
    {
        nint captured;
        DriverApi.cuStreamBeginCapture_v2(origin, CaptureMode.ThreadLocal).Check("beginning to capture a stream");
        try
        {
            append();
        }
        catch
        {
            // The stream is to be of use again; what came of the capture is not.
            _ = DriverApi.cuStreamEndCapture(origin, &captured);
            _ = captured != 0 ? DriverApi.cuGraphDestroy(captured) : DriverStatus.Success;
            throw;
        }

        DriverApi.cuStreamEndCapture(origin, &captured).Check("capturing a stream");
        nint executable;
        var status = DriverApi.cuGraphInstantiateWithFlags(&executable, captured, 0);
        _ = DriverApi.cuGraphDestroy(captured);
        status.Check("making a graph of what was captured");
        var graph = new CudaGraph(context);
        graph.Adopt(executable, context);
        return graph;
    }

    /// <summary>Appends all of it to a stream, behind its own last launch.</summary>
    public void Launch(CudaStream stream) => DriverApi.cuGraphLaunch(this, stream).Check("launching a graph");

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        _ = DriverApi.cuGraphExecDestroy(value);
    }
}
