using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// The arenas of a schedule: one allocation of device memory, behind the arena what kernels need besides it, and one of pinned host
/// memory. Addresses are those of the driver.
/// </summary>
internal sealed unsafe class CudaArenas : IDisposable
{
    private const int Device = 0;
    private readonly DeviceMemory device;
    private readonly PinnedMemory host;

    /// <param name="context">Of the GPU.</param>
    /// <param name="schedule">Its arenas are a device arena and a host arena, in this order.</param>
    /// <param name="beside">Bytes behind the device arena.</param>
    public CudaArenas(CudaContext context, Schedule schedule, Bytes beside)
    {
        if (schedule.Arenas is not [{ Name: "device" }, { Name: "host" }])
        {
            throw new ArgumentException("a CUDA device has a device arena and a host arena", nameof(schedule));
        }

        DeviceLength = schedule.Arenas[Device].Length.Aligned;
        device = DeviceMemory.Allocate(context, DeviceLength + beside, "the device arena");
        try
        {
            host = PinnedMemory.Allocate(
                context,
                new Bytes(Math.Max(schedule.Arenas[1].Length.Value, 1)),
                PinnedMemoryOptions.For("the host arena")
            );
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the device arena.</summary>
    public Bytes DeviceLength { get; }

    /// <summary>What lies behind the device arena.</summary>
    public DevicePointer Beside => device.Start + DeviceLength;

    /// <summary>Address of an arena's first byte.</summary>
    public nuint Start(int arena) => arena == Device ? (nuint)device.Start.Address : (nuint)host.Start;

    /// <summary>Appends a copy to a stream; which way it goes is in the addresses.</summary>
    public void Copy(CudaStream stream, nuint from, nuint to, Bytes length)
    {
        if (IsHost(from))
        {
            stream.CopyToDevice(new DevicePointer(to), host, HostOffset(from), length);
        }
        else if (IsHost(to))
        {
            stream.CopyToHost(host, HostOffset(to), new DevicePointer(from), length);
        }
        else
        {
            stream.CopyOnDevice(new DevicePointer(to), new DevicePointer(from), length);
        }
    }

    /// <summary>Copies into a slot, at once; nothing may run.</summary>
    public void Write(Slot slot, Bytes offset, ReadOnlySpan<byte> source)
    {
        Check(slot, offset, source.Length);
        if (slot.Arena == Device)
        {
            device.Write(slot.Offset + offset, source);
        }
        else
        {
            Announce(slot.Offset + offset, source.Length, MemoryAccess.Write);
            source.CopyTo(host.Range(slot.Offset + offset, source.Length));
        }
    }

    /// <summary>Copies out of a slot, at once; nothing may run.</summary>
    public void Read(Slot slot, Bytes offset, Span<byte> destination)
    {
        Check(slot, offset, destination.Length);
        if (slot.Arena == Device)
        {
            device.Read(slot.Offset + offset, destination);
        }
        else
        {
            Announce(slot.Offset + offset, destination.Length, MemoryAccess.Read);
            host.Range(slot.Offset + offset, destination.Length).CopyTo(destination);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        host.Dispose();
        device.Dispose();
    }

    // The emulated driver cannot see what the host does by itself.
    private void Announce(Bytes offset, int length, MemoryAccess access)
    {
        if (CudaEmulation.IsOn && length > 0)
        {
            CudaEmulation.HostAccess(host, offset, new Bytes(length), access);
        }
    }

    private bool IsHost(nuint address) => address >= Start(1) && address - Start(1) < (nuint)host.Length.Value;

    private Bytes HostOffset(nuint address) => new((long)(address - Start(1)));

    private static void Check(Slot slot, Bytes offset, int length)
    {
        if (offset.Value < 0 || offset.Value + length > slot.Length.Value)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"bytes {offset.Value} to {offset.Value + length} are outside slot {slot.Name} of {slot.Length.Value} bytes"
            );
        }
    }
}
