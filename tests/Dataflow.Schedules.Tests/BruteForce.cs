namespace Dataflow.Schedules.Tests;

/// <summary>
/// The definition of a missing wait, computed without cleverness: the full happens-before relation over every (step, op) of three
/// unrolled steps, then every pair of ops with a common byte that one of them writes. For schedules up to a few thousand ops.
/// The file stands alone so that the tests of other projects can link it.
/// </summary>
internal static class BruteForce
{
    private const int Steps = 3;

    /// <summary>Some two conflicting ops are unordered.</summary>
    public static bool HasUnorderedConflict(Schedule schedule) => FindUnorderedConflict(schedule) is not null;

    /// <summary>
    /// The first two conflicting ops, by issue order of the later, that are unordered; the earlier one is Distance steps before.
    /// </summary>
    public static (int Earlier, int Later, int Distance)? FindUnorderedConflict(Schedule schedule)
    {
        int n = schedule.Ops.Length;
        ulong[][] before = HappensBefore(schedule);
        for (int later = 0; later < Steps * n; later++)
        {
            for (int earlier = 0; earlier < later; earlier++)
            {
                bool ordered = (before[later][earlier / 64] >> (earlier % 64) & 1) != 0;
                if (!ordered && Conflict(schedule, schedule.Ops[earlier % n], schedule.Ops[later % n]))
                {
                    return (earlier % n, later % n, (later / n) - (earlier / n));
                }
            }
        }

        return null;
    }

    /// <summary>[node] is the set of nodes complete before it starts; node = step * ops + op.</summary>
    private static ulong[][] HappensBefore(Schedule schedule)
    {
        int n = schedule.Ops.Length;
        var before = new ulong[Steps * n][];
        var lastOfStream = new Dictionary<int, int>();
        for (int node = 0; node < before.Length; node++)
        {
            ScheduledOp op = schedule.Ops[node % n];
            before[node] = new ulong[((Steps * n) + 63) / 64];
            if (lastOfStream.TryGetValue(op.Stream, out int previous))
            {
                Include(previous);
            }

            foreach (Wait wait in op.Waits)
            {
                int waited = (((node / n) - wait.Distance) * n) + wait.Op;
                if (waited >= 0)
                {
                    Include(waited);
                }
            }

            lastOfStream[op.Stream] = node;

            void Include(int other)
            {
                before[node][other / 64] |= 1UL << (other % 64);
                for (int word = 0; word < before[node].Length; word++)
                {
                    before[node][word] |= before[other][word];
                }
            }
        }

        return before;
    }

    private static bool Conflict(Schedule schedule, ScheduledOp a, ScheduledOp b)
    {
        foreach (Access x in a.Accesses)
        {
            foreach (Access y in b.Accesses)
            {
                Slot p = schedule.Slots[x.Slot];
                Slot q = schedule.Slots[y.Slot];
                long startX = p.Offset.Value + x.Offset.Value;
                long startY = q.Offset.Value + y.Offset.Value;
                if ((x.Writes || y.Writes) && p.Arena == q.Arena
                    && startX < startY + y.Length.Value && startY < startX + x.Length.Value)
                {
                    return true;
                }
            }
        }

        return false;
    }
}
