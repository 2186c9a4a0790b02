using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// The arenas of a schedule, an allocation each: device memory, behind the arena what kernels need besides it, and pinned memory for the
/// tiers beyond. Addresses are those of the driver.
/// </summary>
internal sealed unsafe class CudaArenas : IDisposable
{
    private readonly DeviceMemory device;
    private readonly List<PinnedMemory> pinned = []; // by tier, from the host on

    /// <param name="context">Of the GPU.</param>
    /// <param name="schedule">Its arenas are a device arena and a host arena, in this order: of memory beyond the host the driver knows
    /// nothing.</param>
    /// <param name="beside">Bytes behind the device arena.</param>
    public CudaArenas(CudaContext context, Schedule schedule, Bytes beside)
    {
        if (!schedule.Arenas.Select(a => a.Name).SequenceEqual([MemoryTier.Device.Name, MemoryTier.Host.Name]))
        {
            throw new ArgumentException("a CUDA device has a device arena and a host arena", nameof(schedule));
        }

        DeviceLength = schedule.LengthOf(MemoryTier.Device).Aligned;
        device = DeviceMemory.Allocate(context, DeviceLength + beside, "the device arena");
        try
        {
            foreach (var arena in schedule.Arenas.Skip(MemoryTier.Host.Index))
            {
                var length = Bytes.Max(arena.Length, new Bytes(1));
                pinned.Add(PinnedMemory.Allocate(context, length, PinnedMemoryOptions.For($"the {arena.Name} arena")));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the device arena.</summary>
    public Bytes DeviceLength { get; }

    /// <summary>What lies behind the device arena.</summary>
    public DevicePointer Beside => device.Start + DeviceLength;

    /// <summary>Address of an arena's first byte.</summary>
    public nuint Start(int arena) => IsDevice(arena) ? (nuint)device.Start.Address : (nuint)Pinned(arena).Start;

    /// <summary>Appends a copy to a stream; which way it goes is in the addresses.</summary>
    public void Copy(CudaStream stream, nuint from, nuint to, Bytes length)
    {
        if (Holding(from) is { } source)
        {
            stream.CopyToDevice(new DevicePointer(to), source, OffsetIn(source, from), length);
        }
        else if (Holding(to) is { } target)
        {
            stream.CopyToHost(target, OffsetIn(target, to), new DevicePointer(from), length);
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
        if (IsDevice(slot.Arena))
        {
            device.Write(slot.Offset + offset, source);
        }
        else
        {
            var memory = Pinned(slot.Arena);
            Announce(memory, slot.Offset + offset, source.Length, MemoryAccess.Write);
            source.CopyTo(memory.Range(slot.Offset + offset, source.Length));
        }
    }

    /// <summary>Copies out of an arena, at once; nothing may run.</summary>
    public void Read(nuint address, Span<byte> destination)
    {
        if (Holding(address) is { } memory)
        {
            Announce(memory, OffsetIn(memory, address), destination.Length, MemoryAccess.Read);
            memory.Range(OffsetIn(memory, address), destination.Length).CopyTo(destination);
        }
        else
        {
            device.Read(OffsetInDevice(address), destination);
        }
    }

    /// <summary>Copies into an arena, at once; nothing may run.</summary>
    public void Write(nuint address, ReadOnlySpan<byte> source)
    {
        if (Holding(address) is { } memory)
        {
            Announce(memory, OffsetIn(memory, address), source.Length, MemoryAccess.Write);
            source.CopyTo(memory.Range(OffsetIn(memory, address), source.Length));
        }
        else
        {
            device.Write(OffsetInDevice(address), source);
        }
    }

    /// <summary>Copies out of a slot, at once; nothing may run.</summary>
    public void Read(Slot slot, Bytes offset, Span<byte> destination)
    {
        Check(slot, offset, destination.Length);
        if (IsDevice(slot.Arena))
        {
            device.Read(slot.Offset + offset, destination);
        }
        else
        {
            var memory = Pinned(slot.Arena);
            Announce(memory, slot.Offset + offset, destination.Length, MemoryAccess.Read);
            memory.Range(slot.Offset + offset, destination.Length).CopyTo(destination);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var memory in pinned)
        {
            memory.Dispose();
        }

        device.Dispose();
    }

    // The emulated driver cannot see what the host does by itself.
    private static void Announce(PinnedMemory memory, Bytes offset, int length, MemoryAccess access)
    {
        if (CudaEmulation.IsOn && length > 0)
        {
            CudaEmulation.HostAccess(memory, offset, new Bytes(length), access);
        }
    }

    private static bool IsDevice(int arena) => arena == MemoryTier.Device.Index;

    private PinnedMemory Pinned(int arena) => pinned[arena - MemoryTier.Host.Index];

    /// <summary>The memory that an address is in; null for device memory.</summary>
    private PinnedMemory? Holding(nuint address)
    {
        foreach (var memory in pinned)
        {
            if (address >= (nuint)memory.Start && address - (nuint)memory.Start < (nuint)memory.Length.Value)
            {
                return memory;
            }
        }

        return null;
    }

    private Bytes OffsetInDevice(nuint address) => new(checked((long)(address - (nuint)device.Start.Address)));

    private static Bytes OffsetIn(PinnedMemory memory, nuint address) => new((long)(address - (nuint)memory.Start));

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
