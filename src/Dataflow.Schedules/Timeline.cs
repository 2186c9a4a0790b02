using System.Collections.Immutable;

namespace Dataflow.Schedules;

/// <summary>When an op ran, in nanoseconds from the start of its step, and what it waited for.</summary>
/// <param name="Start">When its stream took it up.</param>
/// <param name="End">When it had completed.</param>
/// <param name="Stall">How long its stream had nothing to do before it.</param>
/// <param name="Awaited">The wait that was satisfied last, if it held the op up; Op is -1 if nothing did.</param>
public readonly record struct OpTime(long Start, long End, long Stall, Wait Awaited)
{
    /// <summary>That no wait held the op up.</summary>
    public static Wait Nothing { get; } = new(-1, 0);

    /// <summary>Nanoseconds that it took.</summary>
    public long Duration => End - Start;
}

/// <summary>
/// One step of a schedule in time, simulated or measured: a value either way, so that the error of a prediction is a difference.
/// </summary>
/// <param name="Ops">Per op of the schedule; times before 0 belong to work of the step that the step before gave room for.</param>
/// <param name="StepNanoseconds">From one step's end to the next one's.</param>
public sealed record Timeline(ImmutableArray<OpTime> Ops, long StepNanoseconds)
{
    /// <summary>Nanoseconds that a stream worked.</summary>
    public long Busy(Schedule schedule, int stream)
    {
        long sum = 0;
        for (int i = 0; i < Ops.Length; i++)
        {
            sum += schedule.Ops[i].Stream == stream ? Ops[i].Duration : 0;
        }

        return sum;
    }
}
