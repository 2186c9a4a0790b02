using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu;

/// <summary>The arenas of a schedule and the spans of its slots.</summary>
internal sealed unsafe class CpuMemory : IArenaMemory, IDisposable
{
    private readonly bool owns = true;

    public CpuMemory(Schedule schedule)
    {
        Schedule = schedule;
        Arenas = [.. schedule.Arenas.Select(a => new CpuArena(a.Name, a.Length))];
    }

    /// <summary>The same arenas for another schedule over the same slots.</summary>
    public CpuMemory(Schedule schedule, CpuMemory other)
    {
        if (!schedule.Arenas.SequenceEqual(other.Schedule.Arenas) || !schedule.Slots.SequenceEqual(other.Schedule.Slots))
        {
            throw new ArgumentException("the schedules do not share their arenas and slots", nameof(schedule));
        }

        (Schedule, Arenas, owns) = (schedule, other.Arenas, false);
    }

    public Schedule Schedule { get; }

    public CpuArena[] Arenas { get; }

    /// <summary>What turns the schedule's ops into calls of those kernels.</summary>
    /// <exception cref="UserErrorException">It has attention by cuDNN.</exception>
    public OpRunner Runner(Workload workload, IKernels kernels) =>
        workload.Geometry.Cudnn is { } cudnn
        ? throw new UserErrorException($"the plan's attention is by cuDNN ({cudnn}), which CPUs do not have: plan with --attention own")
        : new(Schedule, workload, [.. Arenas.Select(a => (nuint)a.Start)], [.. Schedule.Streams.Select(_ => new KernelStream(kernels))])
        {
            Inspections = new CallInspections(this),
        };

    /// <inheritdoc/>
    public void Read(nuint address, Span<byte> destination) => At(address, destination.Length).CopyTo(destination);

    /// <inheritdoc/>
    public void Write(nuint address, ReadOnlySpan<byte> source) => source.CopyTo(At(address, source.Length));

    /// <summary>Bytes of a slot from an offset on.</summary>
    public Span<byte> Slot(int slot, Bytes offset, int length)
    {
        var at = Schedule.Slots[slot];
        if (offset.Value < 0 || offset.Value + length > at.Length.Value)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"bytes {offset.Value} to {offset.Value + length} are outside slot {at.Name} of {at.Length.Value} bytes"
            );
        }

        return new Span<byte>(Arenas[at.Arena].Start + at.Offset.Value + offset.Value, length);
    }

    private Span<byte> At(nuint address, int length)
    {
        foreach (var arena in Arenas)
        {
            nuint start = (nuint)arena.Start;
            if (address >= start && address - start + (nuint)length <= (nuint)arena.Length.Value)
            {
                return new Span<byte>((void*)address, length);
            }
        }

        throw new ArgumentOutOfRangeException(nameof(address), $"{length} bytes at {address} are in no arena");
    }

    public void Dispose()
    {
        foreach (var arena in owns ? Arenas : [])
        {
            arena.Dispose();
        }
    }
}
