using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>What a step moves over one direction of a link.</summary>
/// <param name="Direction">Which one.</param>
/// <param name="Bytes">Of all copies together.</param>
/// <param name="Copies">How many.</param>
/// <param name="BusyNanoseconds">That at least one of its copies was under way.</param>
public readonly record struct LinkUse(LinkDirection Direction, long Bytes, int Copies, long BusyNanoseconds)
{
    /// <summary>Bytes a second while it was busy.</summary>
    public double BytesPerSecond => BusyNanoseconds > 0 ? Bytes * 1e9 / BusyNanoseconds : 0;

    /// <summary>Both directions of the nearest link, and of those beyond it that copies use.</summary>
    public static ImmutableArray<LinkUse> Of(Timeline timeline, ReadOnlySpan<OpCost> costs)
    {
        var uses = ImmutableArray.CreateBuilder<LinkUse>();
        int links = LinkDirection.DeviceToHost.Index;
        foreach (ref readonly var cost in costs)
        {
            links = Math.Max(links, cost.Link);
        }

        foreach (var direction in LinkDirection.Among(new LinkDirection(links).Far.Index + 1))
        {
            var spans = new List<(long Start, long End)>();
            long bytes = 0;
            for (int i = 0; i < costs.Length; i++)
            {
                if (costs[i].Link == direction.Index)
                {
                    bytes += costs[i].Bytes;
                    spans.Add((timeline.Ops[i].Start, timeline.Ops[i].End));
                }
            }

            uses.Add(new LinkUse(direction, bytes, spans.Count, Union(spans)));
        }

        return uses.ToImmutable();
    }

    private static long Union(List<(long Start, long End)> spans)
    {
        long sum = 0, until = long.MinValue;
        foreach (var (start, end) in spans.OrderBy(s => s.Start))
        {
            sum += Math.Max(0, end - Math.Max(start, until));
            until = Math.Max(until, end);
        }

        return sum;
    }
}
