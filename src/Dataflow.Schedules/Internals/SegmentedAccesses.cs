namespace Dataflow.Schedules.Internals;

/// <summary>
/// The accesses of all ops, flat, with their byte ranges as runs of elementary segments: the bytes of all arenas cut at every first and
/// last byte of an access. Two accesses overlap exactly if their runs do, and a slot that is only ever used whole is one segment.
/// </summary>
internal sealed class SegmentedAccesses
{
    private SegmentedAccesses(int accesses, int ops)
    {
        OpStart = new int[ops + 1];
        First = new int[accesses];
        End = new int[accesses];
        Writes = new bool[accesses];
    }

    /// <summary>The accesses of op i are [OpStart[i], OpStart[i + 1]).</summary>
    public int[] OpStart { get; }

    /// <summary>First segment of an access.</summary>
    public int[] First { get; }

    /// <summary>One past the last segment of an access.</summary>
    public int[] End { get; }

    /// <summary>The access writes.</summary>
    public bool[] Writes { get; }

    /// <summary>Number of segments.</summary>
    public int SegmentCount { get; private set; }

    /// <summary>Cuts the arenas of a schedule.</summary>
    public static SegmentedAccesses Of(Schedule schedule)
    {
        ReadOnlySpan<ScheduledOp> ops = schedule.Ops.AsSpan();
        int count = 0;
        foreach (ScheduledOp op in ops)
        {
            count += op.Accesses.AsSpan().Length;
        }

        long[] slotStart = SlotStarts(schedule);
        var result = new SegmentedAccesses(count, ops.Length);
        var starts = new long[count];
        var ends = new long[count];
        int next = 0;
        for (int i = 0; i < ops.Length; i++)
        {
            result.OpStart[i] = next;
            foreach (ref readonly Access access in ops[i].Accesses.AsSpan())
            {
                starts[next] = slotStart[access.Slot] + access.Offset.Value;
                ends[next] = starts[next] + access.Length.Value;
                result.Writes[next++] = access.Writes;
            }
        }

        result.OpStart[ops.Length] = next;
        ReadOnlySpan<long> cuts = DistinctSorted(starts, ends);
        for (int a = 0; a < count; a++)
        {
            result.First[a] = cuts.BinarySearch(starts[a]);
            result.End[a] = cuts.BinarySearch(ends[a]);
        }

        result.SegmentCount = cuts.Length;
        return result;
    }

    /// <summary>First bytes of the slots on one line on which the arenas lie end to end, so that one sort serves all arenas.</summary>
    private static long[] SlotStarts(Schedule schedule)
    {
        var arenaStart = new long[schedule.Arenas.AsSpan().Length];
        for (int a = 1; a < arenaStart.Length; a++)
        {
            arenaStart[a] = checked(arenaStart[a - 1] + schedule.Arenas[a - 1].Length.Value);
        }

        var starts = new long[schedule.Slots.AsSpan().Length];
        for (int s = 0; s < starts.Length; s++)
        {
            starts[s] = checked(arenaStart[schedule.Slots[s].Arena] + schedule.Slots[s].Offset.Value);
        }

        return starts;
    }

    private static ReadOnlySpan<long> DistinctSorted(long[] starts, long[] ends)
    {
        long[] points = [.. starts, .. ends];
        Array.Sort(points);
        int kept = 0;
        for (int i = 0; i < points.Length; i++)
        {
            if (kept == 0 || points[i] != points[kept - 1])
            {
                points[kept++] = points[i];
            }
        }

        return points.AsSpan(0, kept);
    }
}
