using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>A queue of copies and launches that run one after the other. None of the calls waits but <see cref="Synchronize"/>.</summary>
public sealed unsafe class CudaStream : CudaHandle
{
    private readonly nint context;

    private CudaStream(CudaContext of) => context = of.Value;

    /// <summary>A stream that does not wait for the legacy default stream.</summary>
    /// <param name="context">Of the GPU; the stream keeps it alive.</param>
    /// <param name="priority">Lower numbers first, 0 for none; the driver clamps it to what the GPU has.</param>
    public static CudaStream Create(CudaContext context, int priority = 0)
    {
        var stream = new CudaStream(context);
        nint created;
        DriverApi.cuStreamCreateWithPriority(&created, StreamFlags.NonBlocking, priority).Check("making a stream");
        stream.Adopt(created, context);
        return stream;
    }

    /// <summary>Returns when everything on it has completed.</summary>
    /// <exception cref="CudaException">Something on it failed.</exception>
    public void Synchronize() => DriverApi.cuStreamSynchronize(this).Check("waiting for a stream");

    /// <summary>Whether everything on it has completed.</summary>
    /// <exception cref="CudaException">Something on it failed.</exception>
    public bool IsIdle()
    {
        var status = DriverApi.cuStreamQuery(this);
        if (status == DriverStatus.NotReady)
        {
            return false;
        }

        status.Check("asking a stream whether it is done");
        return true;
    }

    /// <summary>What follows on this stream waits for the event's latest recording.</summary>
    public void Wait(CudaEvent awaited) => DriverApi.cuStreamWaitEvent(this, awaited, 0).Check("letting a stream wait for an event");

    /// <summary>The event completes when all that is on this stream so far has.</summary>
    public void Record(CudaEvent recorded) => DriverApi.cuEventRecord(recorded, this).Check("recording an event");

    /// <summary>Copies pinned host memory to the device. Pieces that were registered apart are copied apart.</summary>
    public void CopyToDevice(DevicePointer destination, PinnedMemory source, Bytes offset, Bytes length)
    {
        for (long done = 0; done < length.Value;)
        {
            long piece = source.Contiguous(offset.Value + done, length.Value - done);
            DriverApi.cuMemcpyHtoDAsync_v2(destination + new Bytes(done), source.At(offset + new Bytes(done)), (nuint)piece, this)
                .Check($"copying {new Bytes(piece)} to the GPU");
            done += piece;
        }
    }

    /// <summary>Copies device memory to pinned host memory, likewise.</summary>
    public void CopyToHost(PinnedMemory destination, Bytes offset, DevicePointer source, Bytes length)
    {
        for (long done = 0; done < length.Value;)
        {
            long piece = destination.Contiguous(offset.Value + done, length.Value - done);
            DriverApi.cuMemcpyDtoHAsync_v2(destination.At(offset + new Bytes(done)), source + new Bytes(done), (nuint)piece, this)
                .Check($"copying {new Bytes(piece)} from the GPU");
            done += piece;
        }
    }

    /// <summary>Copies within device memory; the ranges do not overlap.</summary>
    public void CopyOnDevice(DevicePointer destination, DevicePointer source, Bytes length) =>
        DriverApi.cuMemcpyDtoDAsync_v2(destination, source, (nuint)length.Value, this).Check($"copying {length} on the GPU");

    /// <summary>Sets every byte.</summary>
    public void Fill(DevicePointer destination, byte value, Bytes length) =>
        DriverApi.cuMemsetD8Async(destination, value, (nuint)length.Value, this).Check($"filling {length} of device memory");

    /// <summary>Sets 32-bit words; the address is a multiple of 4.</summary>
    public void Fill32(DevicePointer destination, uint value, long count) =>
        DriverApi.cuMemsetD32Async(destination, value, (nuint)count, this).Check($"filling {count} words of device memory");

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        _ = DriverApi.cuStreamDestroy_v2(value);
    }
}
