using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>Copies of one kind of object in one direction during a step.</summary>
public sealed record Traffic(string Kind, LinkDirection Direction, int Copies, Bytes Bytes);

/// <summary>What a step moves and what it computes twice.</summary>
public sealed record PlanTraffic(ImmutableArray<Traffic> Copies, ImmutableArray<(string Tensors, int Ops)> Recomputed)
{
    /// <summary>Counts the copies and recomputations of a plan's schedule.</summary>
    public static PlanTraffic Of(Schedule schedule)
    {
        var copies = schedule.Ops.Where(o => o.Kind is OpKind.Fetch or OpKind.Save)
            .GroupBy(o =>
                (Kind: ShownNames.KindOf(schedule.Objects[o.Accesses[0].Object].Name), Direction: StepStreams.DirectionOf(o.Stream))
            )
            .OrderBy(g => ShownNames.OrderOf(g.Key.Kind)).ThenBy(g => g.Key.Direction.Index)
            .Select(g => new Traffic(g.Key.Kind, g.Key.Direction, g.Count(), new Bytes(g.Sum(o => o.Accesses[0].Length.Value))));
        var recomputed = schedule.Ops.Where(o => o.Kind == OpKind.Recompute)
            .GroupBy(o => o.Wanted).OrderBy(g => g.Key).Select(g => (g.Key.ToString(), g.Count()));
        return new PlanTraffic([.. copies], [.. recomputed]);
    }
}
