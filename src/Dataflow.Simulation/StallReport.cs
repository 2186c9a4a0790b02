using System.Collections.Immutable;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>How long a stream had nothing to do for one reason.</summary>
/// <param name="Awaited">The kind of op that was awaited; null where the stream's next op was not held up by a wait.</param>
/// <param name="Object">The object that the awaited op copies; -1 if it copies none.</param>
/// <param name="Nanoseconds">All of its stalls together.</param>
/// <param name="Times">Ops that were held up.</param>
public readonly record struct Stall(OpKind? Awaited, int Object, long Nanoseconds, int Times);

/// <summary>What a stream waited for: each op's stall belongs to the wait that was satisfied last.</summary>
public static class StallReport
{
    /// <summary>
    /// The stalls of a stream by awaited op and object, longest first. The time before the stream's first op counts only if it waited.
    /// </summary>
    /// <param name="schedule">The step.</param>
    /// <param name="timeline">When each of its ops ran.</param>
    /// <param name="stream">Index into <see cref="Schedule.Streams"/>.</param>
    /// <param name="kindOf">Objects that are to be one entry share a number.</param>
    public static ImmutableArray<Stall> Of(Schedule schedule, Timeline timeline, int stream, Func<int, int> kindOf)
    {
        var sums = new Dictionary<(OpKind?, int), (long Nanoseconds, int Times)>();
        for (int i = 0; i < timeline.Ops.Length; i++)
        {
            var time = timeline.Ops[i];
            if (schedule.Ops[i].Stream != stream || time.Stall <= 0)
            {
                continue;
            }

            var awaited = time.Awaited.Op >= 0 ? schedule.Ops[time.Awaited.Op] : null;
            bool isCopy = awaited?.Kind is OpKind.Fetch or OpKind.Save;
            var key = (awaited?.Kind, isCopy ? kindOf(awaited!.Accesses[0].Object) : -1);
            var (sum, times) = sums.GetValueOrDefault(key);
            sums[key] = (sum + time.Stall, times + 1);
        }

        return
        [
            .. sums.Select(s => new Stall(s.Key.Item1, s.Key.Item2, s.Value.Nanoseconds, s.Value.Times))
                .OrderByDescending(s => s.Nanoseconds),
        ];
    }
}
