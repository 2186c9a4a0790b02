using System.Runtime.InteropServices;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>
/// Repetitions are skipped where that changes nothing: whenever compute takes up the op that begins a period, the whole state (what runs
/// and for how long still, what has ended and how long ago) is compared with the one a period before. If they are equal, everything repeats
/// itself until the first stream leaves the repeating ops, and the times of what is skipped are those of a period before, later by as much
/// as a period took.
/// </summary>
internal sealed partial class VirtualClocks
{
    private readonly StepPeriod? period;
    private readonly int[] opsOfPeriod;
    private readonly int anchorOp;
    private readonly int lookBack;
    private List<long> state = [];
    private List<long> stateBefore = [];
    private (int Op, int Step, long Time) compared = (-1, -1, 0);
    private bool atAnchor;

    /// <summary>Ops of a stream in a period, the first op of compute in it, and how far back its waits reach.</summary>
    private static (int[] OpsOfStream, int Anchor, int LookBack) Measure(Schedule schedule, StepPeriod? period)
    {
        var counts = new int[schedule.Streams.Length];
        var (anchor, lookBack) = (-1, 0);
        if (period is { } p)
        {
            for (int i = p.First; i < p.First + p.Length; i++)
            {
                var op = schedule.Ops[i];
                counts[op.Stream]++;
                anchor = anchor < 0 && op.Stream == StepStreams.Compute ? i : anchor;
                foreach (var wait in op.Waits)
                {
                    lookBack = Math.Max(lookBack, i - wait.Op);
                }
            }
        }

        return (counts, anchor, lookBack);
    }

    private bool IsAnchor(int stream, int op) =>
        stream == StepStreams.Compute && period is { } p && op >= anchorOp && op < p.End && (op - anchorOp) % p.Length == 0;

    /// <summary>Looks at the state if a period has just begun.</summary>
    private void Fold(StepPeriod p)
    {
        atAnchor = false;
        var (anchor, step) = (streams[StepStreams.Compute].Running, streams[StepStreams.Compute].Step);
        if (!AllRepeat(p, step))
        {
            return;
        }

        int last = Capture(anchor, step * times.Length);
        bool equal = compared == (anchor - p.Length, step, compared.Time)
            && CollectionsMarshal.AsSpan(state).SequenceEqual(CollectionsMarshal.AsSpan(stateBefore));
        int periods = (p.End - 1 - last) / p.Length;
        if (equal && periods > 0)
        {
            Skip(p, step, periods, now - compared.Time);
            compared = (-1, -1, 0);
            return;
        }

        compared = (anchor, step, now);
        (state, stateBefore) = (stateBefore, state);
    }

    /// <summary>Every stream is in that step at an op that repeats, or rests until the repeating ones are over.</summary>
    private bool AllRepeat(StepPeriod p, int step)
    {
        for (int s = 0; s < streams.Length; s++)
        {
            if (firstOf[s] == firstOf[s + 1])
            {
                continue; // A stream without any ops.
            }

            int op = opsOf[streams[s].Next];
            bool repeats = opsOfPeriod[s] > 0 ? op >= p.First + p.Length && op < p.End : streams[s].Running < 0 && op >= p.End;
            if (streams[s].Step != step || !repeats)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The state in times and ops from now on; returns the op that the stream farthest ahead is at.</summary>
    private int Capture(int anchor, int origin)
    {
        state.Clear();
        var (first, last) = (int.MaxValue, 0);
        for (int s = 0; s < streams.Length; s++)
        {
            if (opsOfPeriod[s] == 0)
            {
                continue;
            }

            ref readonly var stream = ref streams[s];
            int op = opsOf[stream.Next];
            bool runs = stream.Running >= 0;
            (first, last) = (Math.Min(first, op), Math.Max(last, op));
            state.AddRange(
                op - anchor, runs ? 1 : 0, stream.Moving ? 1 : 0, runs ? stream.EventAt - now : 0,
                runs ? BitConverter.DoubleToInt64Bits(stream.Remaining) : 0, stream.FreeSince - now);
        }

        // What an op still to come may wait for.
        for (int op = Math.Max(0, first - lookBack); op < last; op++)
        {
            long end = ends[origin + op];
            state.Add(end == Never ? Never : end - now);
        }

        return last;
    }

    private void Skip(StepPeriod p, int step, int periods, long duration)
    {
        int origin = step * times.Length, moved = periods * p.Length;
        OpTime[] running = [.. streams.Select(s => s.Running >= 0 ? times[s.Running] : default)];
        for (int op = p.First + p.Length; op < p.End; op++)
        {
            // After the skip an op has ended if the one as many periods before has ended by now.
            if (ends[origin + op] == Never && (op - moved < p.First || ends[origin + op - moved] <= now))
            {
                ends[origin + op] = ends[origin + op - p.Length] + duration;
                if (step == shown)
                {
                    times[op] = Later(times[op - p.Length], duration, p.Length);
                }
            }
        }

        long later = periods * duration;
        now += later;
        for (int s = 0; s < streams.Length; s++)
        {
            ref var stream = ref streams[s];
            stream.BlockedBy = -1;
            if (opsOfPeriod[s] == 0)
            {
                continue;
            }

            if (stream.Running >= 0)
            {
                if (step == shown)
                {
                    times[stream.Running + moved] = Later(running[s], later, moved);
                }

                stream.Running += moved;
                stream.EventAt += later;
            }

            stream.Next += periods * opsOfPeriod[s];
            stream.FreeSince += later;
        }
    }

    private static OpTime Later(OpTime time, long duration, int ops) => time with
    {
        Start = time.Start + duration,
        End = time.End + duration,
        Awaited = time.Awaited.Op < 0 ? time.Awaited : time.Awaited with { Op = time.Awaited.Op + ops },
    };
}
