namespace Dataflow.Schedules.Internals;

/// <summary>
/// The accesses of all ops, flat, with their byte ranges as runs of elementary segments: every slot cut at every first and last byte
/// of an access. Slots lie apart, so that two accesses overlap exactly if their runs do, and a slot that is only ever used whole is one
/// segment.
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

        var cuts = new SlotCuts[schedule.Slots.AsSpan().Length];
        var result = new SegmentedAccesses(count, ops.Length);
        int next = 0;
        for (int i = 0; i < ops.Length; i++)
        {
            result.OpStart[i] = next;
            foreach (ref readonly Access access in ops[i].Accesses.AsSpan())
            {
                result.Writes[next++] = access.Writes;
                cuts[access.Slot].Add(access.Offset.Value);
                cuts[access.Slot].Add(access.Offset.Value + access.Length.Value);
            }
        }

        result.OpStart[ops.Length] = next;
        foreach (ref SlotCuts slot in cuts.AsSpan())
        {
            slot.First = result.SegmentCount;
            result.SegmentCount += Math.Max(0, slot.Count - 1);
        }

        next = 0;
        foreach (ScheduledOp op in ops)
        {
            foreach (ref readonly Access access in op.Accesses.AsSpan())
            {
                ref SlotCuts slot = ref cuts[access.Slot];
                result.First[next] = slot.First + slot.Find(access.Offset.Value);
                result.End[next++] = slot.First + slot.Find(access.Offset.Value + access.Length.Value);
            }
        }

        return result;
    }

    /// <summary>Where a slot is cut, ascending. Most slots are cut in two or three places, and most accesses are to a whole slot.</summary>
    private struct SlotCuts
    {
        private long[]? cuts;

        /// <summary>The slot's first segment.</summary>
        public int First { get; set; }

        public int Count { get; private set; }

        public readonly int Find(long cut) =>
            Count == 0 || cut < cuts![0] ? ~0
            : cut == cuts[0] ? 0
            : cut == cuts[Count - 1] ? Count - 1
            : cuts.AsSpan(0, Count).BinarySearch(cut);

        public void Add(long cut)
        {
            int place = Find(cut);
            if (place >= 0)
            {
                return;
            }

            cuts ??= new long[2];
            if (Count == cuts.Length)
            {
                Array.Resize(ref cuts, 2 * Count);
            }

            place = ~place;
            Array.Copy(cuts, place, cuts, place + 1, Count++ - place);
            cuts[place] = cut;
        }
    }
}
