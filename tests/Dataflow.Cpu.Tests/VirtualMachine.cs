using Dataflow.Simulation;

namespace Dataflow.Cpu.Tests;

/// <summary>
/// A machine that takes what costs say. Copies of one direction share it, both directions slow each other down, and all together get what
/// host memory gives: written anew from that description.
/// </summary>
internal sealed class VirtualMachine(OpCost[] costs, LinkRates links) : IVirtualMachine
{
    private readonly List<Occupied> occupied = [];

    public void Begin(int op, long now) => occupied.Add(new Occupied(op) { Until = now + costs[op].Nanoseconds, Left = costs[op].Bytes });

    public long? NextEvent(long now) =>
        occupied.Count == 0 ? null : occupied.Min(o => o.Moves ? now + (long)Math.Ceiling(o.Left / RateOf(o)) : o.Until);

    public IReadOnlyCollection<int> Advance(long now, long to)
    {
        var rates = occupied.ToDictionary(o => o.Op, o => o.Moves ? RateOf(o) : 0);
        var over = new List<int>();
        foreach (var o in occupied)
        {
            if (o.Moves)
            {
                o.Left -= rates[o.Op] * (to - now);
            }
            else if (o.Until <= to)
            {
                o.Moves = o.Left > 0;
                o.Through = !o.Moves;
            }

            if (o.Through || (o.Moves && o.Left <= 0))
            {
                over.Add(o.Op);
            }
        }

        occupied.RemoveAll(o => over.Contains(o.Op));
        return over;
    }

    private double RateOf(Occupied copy)
    {
        double Fair(Occupied o)
        {
            var (alone, both) = links.Links[costs[o.Op].Link];
            int beside = occupied.Count(x => x.Moves && costs[x.Op].Link == costs[o.Op].Link);
            return (occupied.Exists(x => x.Moves && costs[x.Op].Link != costs[o.Op].Link) ? both : alone) / beside;
        }

        double total = occupied.Where(o => o.Moves).Sum(Fair);
        return total > links.HostMemory ? Fair(copy) * (links.HostMemory / total) : Fair(copy);
    }

    private sealed class Occupied(int op)
    {
        public int Op => op;

        public long Until { get; init; }

        public double Left { get; set; }

        public bool Moves { get; set; }

        public bool Through { get; set; }
    }
}
