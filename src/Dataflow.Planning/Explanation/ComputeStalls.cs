using System.Collections.Immutable;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>How long compute had nothing to do for one reason.</summary>
/// <param name="Awaited">The kind of op that was awaited; null where the next op was not held up by a wait.</param>
/// <param name="Kind">Of the objects that the awaited ops copy; null if they copy none.</param>
/// <param name="Nanoseconds">That the compute stream stood still, in a step.</param>
/// <param name="Ops">Compute ops that were held up.</param>
public readonly record struct ComputeStall(OpKind? Awaited, string? Kind, long Nanoseconds, int Ops);

/// <summary>What compute waited for in a step, by kind of object.</summary>
public static class ComputeStalls
{
    /// <summary>Longest first.</summary>
    public static ImmutableArray<ComputeStall> Of(Schedule schedule, Timeline timeline)
    {
        var numbers = new Dictionary<string, int>();
        var names = new List<string>();
        int NumberOf(int item)
        {
            string kind = ShownNames.KindOf(schedule.Objects[item].Name);
            if (numbers.TryAdd(kind, names.Count))
            {
                names.Add(kind);
            }

            return numbers[kind];
        }

        return [.. StallReport.Of(schedule, timeline, StepStreams.Compute, NumberOf)
            .Select(s => new ComputeStall(s.Awaited, s.Object < 0 ? null : names[s.Object], s.Nanoseconds, s.Times))];
    }
}
