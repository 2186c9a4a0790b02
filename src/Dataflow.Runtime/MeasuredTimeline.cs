using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>From clocks to a timeline: what a device saw of each op, with what kept it waiting derived from the schedule's waits.</summary>
public static class MeasuredTimeline
{
    /// <summary>The timeline of a step that began on an idle device.</summary>
    /// <param name="schedule">The step that ran.</param>
    /// <param name="starts">Per op, nanoseconds from the step's begin to when its stream took it up.</param>
    /// <param name="ends">Per op, to when it had completed.</param>
    /// <param name="stepNanoseconds">From the step's begin to its end.</param>
    public static Timeline Of(Schedule schedule, ReadOnlySpan<long> starts, ReadOnlySpan<long> ends, long stepNanoseconds)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var times = new OpTime[schedule.Ops.Length];
        long[] free = new long[schedule.Streams.Length];
        for (int i = 0; i < times.Length; i++)
        {
            var op = schedule.Ops[i];

            // Clocks of events may be a little off against each other: an op never starts before its stream is free.
            long start = Math.Max(starts[i], free[op.Stream]);
            long end = Math.Max(ends[i], start);
            var (awaited, ready) = (OpTime.Nothing, free[op.Stream]);
            foreach (var wait in op.Waits)
            {
                // Ops of the step before had completed before this one began.
                if (wait.Distance == 0 && times[wait.Op].End > ready)
                {
                    (awaited, ready) = (wait, times[wait.Op].End);
                }
            }

            times[i] = new OpTime(start, end, start - free[op.Stream], awaited);
            free[op.Stream] = end;
        }

        return new Timeline([.. times], stepNanoseconds);
    }
}
