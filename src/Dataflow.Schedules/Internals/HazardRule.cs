namespace Dataflow.Schedules.Internals;

/// <summary>
/// Rule <c>hazard</c>: of two ops that access a common byte, one writing, the earlier is complete before the later starts. Every byte is
/// followed through two steps in issue order with its last writer and the readers since; whoever else accessed it before is ordered before
/// those, or was reported then. Pairs further apart than neighbouring steps follow, as the later op also ran in between.
/// </summary>
internal sealed class HazardRule
{
    private readonly Schedule schedule;
    private readonly ErrorList errors;
    private readonly HappensBefore order;
    private readonly RangeMap<History>[] slots;
    private readonly HashSet<(int Earlier, int Later)> reported = [];

    private HazardRule(Schedule schedule, ErrorList errors)
    {
        this.schedule = schedule;
        this.errors = errors;
        order = new HappensBefore(schedule);
        slots = new RangeMap<History>[schedule.Slots.AsSpan().Length];
        for (int s = 0; s < slots.Length; s++)
        {
            slots[s] = new RangeMap<History>(schedule.Slots[s].Length.Value, default);
        }
    }

    public static void Check(Schedule schedule, ErrorList errors)
    {
        var rule = new HazardRule(schedule, errors);
        int count = schedule.Ops.AsSpan().Length;
        for (int node = 0; node < 2 * count && !errors.IsFull; node++)
        {
            ReadOnlySpan<Access> accesses = schedule.Ops[node % count].Accesses.AsSpan();
            for (int a = 0; a < accesses.Length; a++)
            {
                if (accesses[a].Writes)
                {
                    rule.Write(new Touch(node, a, null), accesses[a]);
                }
                else
                {
                    rule.Read(new Touch(node, a, null), accesses[a]);
                }
            }
        }
    }

    private void Read(Touch touch, in Access access)
    {
        RangeMap<History> map = slots[access.Slot];
        int piece = map.Cut(access.Offset.Value);
        int end = map.Cut(access.Offset.Value + access.Length.Value);
        for (; piece < end; piece++)
        {
            ref History history = ref map[piece];
            Require(history.Writer, touch, access.Slot, map, piece);
            history = history with { Readers = WithReader(history.Readers, touch) };
        }
    }

    private void Write(Touch touch, in Access access)
    {
        RangeMap<History> map = slots[access.Slot];
        long start = access.Offset.Value;
        long end = start + access.Length.Value;
        for (int piece = map.Find(start); piece < map.Count && map.Start(piece) < end; piece++)
        {
            Require(map[piece].Writer, touch, access.Slot, map, piece);
            for (Touch? reader = map[piece].Readers; reader is not null; reader = reader.Next)
            {
                Require(reader, touch, access.Slot, map, piece);
            }
        }

        map.Assign(start, end, new History(touch, null));
    }

    /// <summary>Readers with one more, which stands for the earlier ones of its stream: those are complete when it is.</summary>
    private Touch WithReader(Touch? readers, Touch added)
    {
        Touch? kept = null;
        int stream = StreamOf(added.Node);
        for (Touch? reader = readers; reader is not null; reader = reader.Next)
        {
            if (StreamOf(reader.Node) != stream)
            {
                kept = new Touch(reader.Node, reader.Access, kept);
            }
        }

        return new Touch(added.Node, added.Access, kept);
    }

    private void Require(Touch? earlier, Touch later, int slot, RangeMap<History> map, int piece)
    {
        int count = schedule.Ops.Length;

        // Two ops of the second step were compared in the first.
        if (earlier is null || earlier.Node >= count || order.Orders(earlier.Node, StreamOf(earlier.Node), later.Node)
            || !reported.Add((earlier.Node, later.Node)))
        {
            return;
        }

        Access a = schedule.Ops[earlier.Node].Accesses[earlier.Access];
        Access b = schedule.Ops[later.Node % count].Accesses[later.Access];
        Slot place = schedule.Slots[slot];
        long start = Math.Max(map.Start(piece), Math.Max(a.Offset.Value, b.Offset.Value));
        long end = Math.Min(map.End(piece), Math.Min((a.Offset + a.Length).Value, (b.Offset + b.Length).Value));
        string step = later.Node >= count ? " of the step before" : "";
        errors.Add("hazard", later.Node % count, $"accesses {errors.Access(b)} without waiting for {errors.Op(earlier.Node)}{step}, which accesses {errors.Access(a)}: "
            + $"bytes {place.Offset.Value + start} to {place.Offset.Value + end} of arena {schedule.Arenas[place.Arena].Name}");
    }

    private int StreamOf(int node) => schedule.Ops[node % schedule.Ops.Length].Stream;

    /// <summary>An access of a node, in an immutable list: cutting a range shares it.</summary>
    private sealed record Touch(int Node, int Access, Touch? Next);

    /// <summary>The last writer of a byte, and for each stream that read it since the last reader.</summary>
    private readonly record struct History(Touch? Writer, Touch? Readers);
}
