using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>One allocation of device memory.</summary>
public sealed unsafe class DeviceMemory : CudaHandle
{
    private readonly nint context;

    private DeviceMemory(CudaContext of, Bytes length) => (context, Length) = (of.Value, length);

    /// <summary>Bytes of it.</summary>
    public Bytes Length { get; }

    /// <summary>Its first byte; a multiple of 256.</summary>
    public DevicePointer Start => new((ulong)Value);

    /// <summary>Takes device memory. What is in it is not known.</summary>
    /// <param name="context">Of the GPU; the memory keeps it alive.</param>
    /// <param name="length">How much.</param>
    /// <param name="purpose">For the message: "the device arena".</param>
    /// <exception cref="CudaException">There is not that much; the message says what is free and who uses the rest.</exception>
    public static DeviceMemory Allocate(CudaContext context, Bytes length, string purpose)
    {
        var memory = new DeviceMemory(context, length);
        DevicePointer pointer;
        var status = DriverApi.cuMemAlloc_v2(&pointer, (nuint)Math.Max(length.Value, Bytes.Alignment));
        if (status == DriverStatus.OutOfMemory)
        {
            var (free, total) = context.Memory();
            string users = GpuUsers.Describe(context.Gpu) is { } text ? $" ({text})" : "";
            throw StatusChecks.Failure(status, $"taking {length} of device memory for {purpose}",
                $"{free} of {total} are free on {context.Gpu.Name}{users}: end what else uses it, or give a smaller --device-memory");
        }

        status.Check($"taking {length} of device memory for {purpose}");
        memory.Adopt((nint)pointer.Address, context);
        return memory;
    }

    /// <summary>An address in it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside.</exception>
    public DevicePointer At(Bytes offset, Bytes length)
    {
        if (offset.Value < 0 || length.Value < 0 || offset.Value > Length.Value - length.Value)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"bytes {offset.Value} to {offset.Value + length.Value} are outside {Length.Value} bytes of device memory"
            );
        }

        return Start + offset;
    }

    /// <summary>
    /// Copies ordinary host memory into it and returns when it has arrived: what is launched on any stream afterwards sees it.
    /// </summary>
    /// <remarks>
    /// The driver's own call returns when ordinary memory is staged; the last part of it may still be on its way, and our streams do not
    /// wait for the null stream, which it is copied on.
    /// </remarks>
    public void Write(Bytes offset, ReadOnlySpan<byte> source)
    {
        fixed (byte* from = source)
        {
            DriverApi
                .cuMemcpyHtoD_v2(At(offset, new Bytes(source.Length)), from, (nuint)source.Length)
                .Check($"copying {new Bytes(source.Length)} to the GPU");
            DriverApi.cuStreamSynchronizeHandle(0).Check($"waiting for {new Bytes(source.Length)} to arrive on the GPU");
        }
    }

    /// <summary>Copies out of it into ordinary host memory and waits.</summary>
    public void Read(Bytes offset, Span<byte> destination)
    {
        fixed (byte* to = destination)
        {
            DriverApi
                .cuMemcpyDtoH_v2(to, At(offset, new Bytes(destination.Length)), (nuint)destination.Length)
                .Check($"copying {new Bytes(destination.Length)} from the GPU");
        }
    }

    private protected override void Release(nint value)
    {
        CudaContext.MakeCurrentForRelease(context);
        _ = DriverApi.cuMemFree_v2(new DevicePointer((ulong)value));
    }
}
