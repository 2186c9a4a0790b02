using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>Whether an event also tells when it completed; those that do cost a little more.</summary>
public enum EventTiming
{
    /// <summary>For ordering alone.</summary>
    Off,

    /// <summary>For <see cref="CudaEvent.MillisecondsSince"/>.</summary>
    On,
}

/// <summary>A point on a stream that other streams and threads can wait for.</summary>
public sealed unsafe class CudaEvent : CudaHandle
{
    private readonly nint context;

    private CudaEvent(CudaContext of) => context = of.Value;

    /// <summary>An event that was not recorded yet. Waits for it are no waits until it was.</summary>
    public static CudaEvent Create(CudaContext context, EventTiming timing = EventTiming.Off)
    {
        var made = new CudaEvent(context);
        nint created;
        DriverApi
            .cuEventCreate(&created, timing == EventTiming.On ? EventFlags.Default : EventFlags.DisableTiming)
            .Check("making an event");
        made.Adopt(created, context);
        return made;
    }

    /// <summary>Returns when it has completed.</summary>
    /// <exception cref="CudaException">Something before it failed.</exception>
    public void Synchronize() => DriverApi.cuEventSynchronize(this).Check("waiting for an event");

    /// <summary>Whether it has completed.</summary>
    /// <exception cref="CudaException">Something before it failed.</exception>
    public bool HasCompleted()
    {
        var status = DriverApi.cuEventQuery(this);
        if (status == DriverStatus.NotReady)
        {
            return false;
        }

        status.Check("asking whether an event has completed");
        return true;
    }

    /// <summary>Time from the other event to this one; both have timing and have completed.</summary>
    public float MillisecondsSince(CudaEvent start)
    {
        float milliseconds;
        DriverApi.cuEventElapsedTime(&milliseconds, start, this).Check("reading the time between two events");
        return milliseconds;
    }

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        _ = DriverApi.cuEventDestroy_v2(value);
    }
}
