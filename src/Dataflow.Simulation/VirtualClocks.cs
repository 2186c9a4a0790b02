using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>The state of a simulation: where each stream is, what runs on it, and when every op of every step has ended.</summary>
internal sealed partial class VirtualClocks
{
    private const long Never = long.MaxValue;
    private readonly Schedule schedule;
    private readonly OpCost[] costs;
    private readonly ImmutableArray<LinkRate> links;
    private readonly double hostRate;
    private readonly double[] rates;
    private readonly int[] movers;
    private readonly int steps;
    private readonly int shown;
    private readonly int[] opsOf;
    private readonly int[] firstOf;
    private readonly int[] waitOps;
    private readonly int[] waitFrom;
    private readonly long[] ends;
    private readonly OpTime[] times;
    private readonly StreamClock[] streams;
    private bool moversChanged = true;
    private long now;

    public VirtualClocks(Schedule schedule, ReadOnlySpan<OpCost> costs, LinkRates links, int steps, int shown, bool fold)
    {
        (this.schedule, this.costs, this.steps, this.shown) = (schedule, costs.ToArray(), steps, shown);
        (this.links, hostRate, movers) = (links.Links, links.HostMemory, new int[links.Links.Length]);
        int count = schedule.Ops.Length;
        ends = new long[checked(count * steps)];
        ends.AsSpan().Fill(Never);
        times = new OpTime[count];
        streams = new StreamClock[schedule.Streams.Length];
        rates = new double[streams.Length];
        period = fold ? StepPeriod.Of(schedule, costs) : null;
        (opsOfPeriod, anchorOp, lookBack) = Measure(schedule, period);

        // Ops of a stream one after the other, so that the loop below touches memory in order.
        opsOf = new int[count];
        firstOf = new int[streams.Length + 1];
        int waits = 0;
        foreach (var op in schedule.Ops)
        {
            firstOf[op.Stream + 1]++;
            waits += op.Waits.Length;
        }

        for (int s = 0; s < streams.Length; s++)
        {
            firstOf[s + 1] += firstOf[s];
            streams[s] = new StreamClock { Next = firstOf[s], Running = -1, BlockedBy = -1 };
        }

        // A wait as one number: the op, minus the number of ops for one of the step before.
        waitFrom = new int[count + 1];
        waitOps = new int[waits];
        int[] next = firstOf.AsSpan(0, streams.Length).ToArray();
        for (int i = 0, w = 0; i < count; i++)
        {
            var op = schedule.Ops[i];
            opsOf[next[op.Stream]++] = i;
            foreach (var wait in op.Waits)
            {
                waitOps[w++] = wait.Op - (wait.Distance * count);
            }

            waitFrom[i + 1] = w;
        }
    }

    public Timeline Run()
    {
        while (!ShownIsOver())
        {
            long next = Never;
            for (int s = 0; s < streams.Length; s++)
            {
                TakeUp(s);
            }

            if (atAnchor)
            {
                Fold(period!.Value);
            }

            if (moversChanged)
            {
                ShareLinks();
            }

            for (int s = 0; s < streams.Length; s++)
            {
                next = Math.Min(next, EventTime(s));
            }

            if (next == Never)
            {
                break;
            }

            Advance(next);
        }

        long end = StepEnd(shown);
        long before = shown > 0 ? StepEnd(shown - 1) : 0;
        foreach (ref var time in times.AsSpan())
        {
            time = time with { Start = time.Start - before, End = time.End - before };
        }

        return new Timeline(ImmutableCollectionsMarshal.AsImmutableArray(times), end - before);
    }

    /// <summary>What comes after the step that is looked at changes nothing of it.</summary>
    private bool ShownIsOver()
    {
        for (int s = 0; s < streams.Length; s++)
        {
            if (streams[s].Step <= shown && firstOf[s] < firstOf[s + 1])
            {
                return false;
            }
        }

        return true;
    }

    private long StepEnd(int step)
    {
        long end = 0;
        foreach (long time in ends.AsSpan(step * times.Length, times.Length))
        {
            end = time == Never
                ? throw new InvalidOperationException("deadlock: an op never ran, although issue order is a topological order")
                : Math.Max(end, time);
        }

        return end;
    }

    /// <summary>Starts the stream's next op if the stream is free and the op's waits are satisfied.</summary>
    private void TakeUp(int s)
    {
        ref var stream = ref streams[s];
        if (
            stream.Running >= 0
            || stream.Step == steps
            || stream.Next == firstOf[s + 1]
            || (stream.BlockedBy >= 0 && ends[stream.BlockedBy] > now)
        )
        {
            return;
        }

        int op = opsOf[stream.Next];
        int origin = stream.Step * times.Length;
        long ready = 0;
        int awaited = -1;
        for (int w = waitFrom[op]; w < waitFrom[op + 1]; w++)
        {
            int instance = origin + waitOps[w];
            if (instance < 0)
            {
                continue; // Before the first step nothing has to be awaited.
            }

            long end = ends[instance];
            if (end > now)
            {
                stream.BlockedBy = instance;
                return;
            }

            if (end > ready)
            {
                (ready, awaited) = (end, w);
            }
        }

        if (stream.Step == shown)
        {
            bool held = ready > stream.FreeSince;
            times[op] = new OpTime(now, 0, now - stream.FreeSince, held ? WaitAt(op, awaited) : OpTime.Nothing);
        }

        atAnchor |= IsAnchor(s, op);
        stream.BlockedBy = -1;
        stream.Running = op;
        stream.Remaining = costs[op].Bytes;
        stream.Moving = false;
        stream.EventAt = now + costs[op].Nanoseconds;
    }

    private Wait WaitAt(int op, int index) => schedule.Ops[op].Waits[index - waitFrom[op]];

    /// <summary>When the stream's op ends, or its first byte moves, if nothing changes before.</summary>
    private long EventTime(int s)
    {
        ref readonly var stream = ref streams[s];
        return stream.Running < 0 ? Never
            : !stream.Moving ? stream.EventAt
            : now + (long)Math.Ceiling(stream.Remaining / rates[s]);
    }

    /// <summary>
    /// Copies in one direction share it, copies in both slow each other down, and all together get what host memory gives.
    /// </summary>
    private void ShareLinks()
    {
        moversChanged = false;
        Array.Clear(movers);
        int moving = 0;
        for (int s = 0; s < streams.Length; s++)
        {
            rates[s] = 0;
            if (streams[s] is { Running: >= 0, Moving: true })
            {
                movers[costs[streams[s].Running].Link]++;
                moving++;
            }
        }

        if (moving == 0)
        {
            return;
        }

        double total = 0;
        for (int s = 0; s < streams.Length; s++)
        {
            if (streams[s] is { Running: >= 0, Moving: true })
            {
                int link = costs[streams[s].Running].Link;
                rates[s] = (movers[new LinkDirection(link).Opposite.Index] > 0 ? links[link].BothBusy : links[link].Alone) / movers[link];
                total += rates[s];
            }
        }

        if (total > hostRate)
        {
            for (int s = 0; s < streams.Length; s++)
            {
                rates[s] *= hostRate / total;
            }
        }
    }

    /// <summary>Moves the clock to an event: bytes flow until then, and ops that are through end.</summary>
    private void Advance(long to)
    {
        for (int s = 0; s < streams.Length; s++)
        {
            ref var stream = ref streams[s];
            if (stream.Running < 0)
            {
                continue;
            }

            bool over;
            if (stream.Moving)
            {
                stream.Remaining -= rates[s] * (to - now);
                over = stream.Remaining <= 0;
            }
            else
            {
                bool due = stream.EventAt <= to;
                over = due && stream.Remaining <= 0;
                stream.Moving = due && !over;
                moversChanged |= stream.Moving;
            }

            if (over)
            {
                End(s, to);
            }
        }

        now = to;
    }

    private void End(int s, long time)
    {
        ref var stream = ref streams[s];
        ends[(stream.Step * times.Length) + stream.Running] = time;
        if (stream.Step == shown)
        {
            times[stream.Running] = times[stream.Running] with { End = time };
        }

        moversChanged |= stream.Moving;
        stream.Running = -1;
        stream.Moving = false;
        stream.FreeSince = time;
        if (++stream.Next == firstOf[s + 1])
        {
            stream.Next = firstOf[s];
            stream.Step++;
        }
    }

    /// <summary>A stream: which op is next, and what runs.</summary>
    private struct StreamClock
    {
        public int Next;
        public int Step;
        public int Running;
        public int BlockedBy; // An op of a step that was not over when it was last looked at, or -1.
        public long EventAt;
        public double Remaining;
        public bool Moving;
        public long FreeSince;
    }
}
