namespace Dataflow.Schedules.Internals;

/// <summary>
/// Rule <c>hazard</c>: of two ops that access a common byte, one writing, the earlier is complete before the later starts. Every byte is
/// followed through two steps in issue order with its last writer and, for each stream, the last reader since, which stands for the earlier
/// readers of its stream: those are complete when it is. Whoever else accessed it before is ordered before those, or was reported then.
/// Pairs further apart than neighbouring steps follow, as the later op also ran in between.
///
/// Writers and the readers of each stream have maps of their own, so that a long range that is read again and again stays one piece
/// in its reader's map, however many ops wrote it.
/// </summary>
internal sealed class HazardRule
{
    private readonly Schedule schedule;
    private readonly ErrorList errors;
    private readonly HappensBefore order;
    private readonly int streams;
    private readonly RangeMap<Touch>[] writers; // [slot]
    private readonly RangeMap<Touch>?[] readers; // [slot, stream]; null while nothing was read
    private readonly HashSet<(int Earlier, int Later)> reported = [];

    private HazardRule(Schedule schedule, ErrorList errors)
    {
        this.schedule = schedule;
        this.errors = errors;
        order = new HappensBefore(schedule);
        streams = schedule.Streams.AsSpan().Length;
        writers = new RangeMap<Touch>[schedule.Slots.AsSpan().Length];
        readers = new RangeMap<Touch>?[writers.Length * streams];
        for (int s = 0; s < writers.Length; s++)
        {
            writers[s] = Untouched(s);
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
                    rule.Write(new Touch(node, a), accesses[a]);
                }
                else
                {
                    rule.Read(new Touch(node, a), accesses[a]);
                }
            }
        }
    }

    private void Read(Touch touch, in Access access)
    {
        long start = access.Offset.Value;
        long end = start + access.Length.Value;
        Require(writers[access.Slot], start, end, touch, access);
        ref RangeMap<Touch>? map = ref readers[(access.Slot * streams) + StreamOf(touch.Node)];
        (map ??= Untouched(access.Slot)).Assign(start, end, touch);
    }

    private void Write(Touch touch, in Access access)
    {
        long start = access.Offset.Value;
        long end = start + access.Length.Value;
        Require(writers[access.Slot], start, end, touch, access);
        foreach (RangeMap<Touch>? map in readers.AsSpan(access.Slot * streams, streams))
        {
            if (map is not null)
            {
                Require(map, start, end, touch, access);
                map.Assign(start, end, Touch.None);
            }
        }

        writers[access.Slot].Assign(start, end, touch);
    }

    /// <summary>Whoever touched a range before is complete before the later one starts.</summary>
    private void Require(RangeMap<Touch> map, long start, long end, Touch later, in Access access)
    {
        for (int piece = map.Find(start); piece < map.Count && map.Start(piece) < end; piece++)
        {
            Touch earlier = map[piece];

            // Two ops of the second step were compared in the first.
            if (earlier.Node >= 0 && earlier.Node < schedule.Ops.Length && !order.Orders(earlier.Node, StreamOf(earlier.Node), later.Node)
                && reported.Add((earlier.Node, later.Node)))
            {
                Report(earlier, later, access, Math.Max(start, map.Start(piece)), Math.Min(end, map.End(piece)));
            }
        }
    }

    private void Report(Touch earlier, Touch later, in Access access, long start, long end)
    {
        int count = schedule.Ops.Length;
        Access other = schedule.Ops[earlier.Node].Accesses[earlier.Access];
        Slot place = schedule.Slots[access.Slot];
        string step = later.Node >= count ? " of the step before" : "";
        errors.Add(
            "hazard",
            later.Node % count,
            $"accesses {errors.Access(access)} without waiting for {errors.Op(earlier.Node)}{step}, which accesses {errors.Access(other)}: "
                + $"bytes {place.Offset.Value + start} to {place.Offset.Value + end} of arena {schedule.Arenas[place.Arena].Name}"
        );
    }

    private RangeMap<Touch> Untouched(int slot) => new(schedule.Slots[slot].Length.Value, Touch.None);

    private int StreamOf(int node) => schedule.Ops[node % schedule.Ops.Length].Stream;

    /// <summary>An access of a node.</summary>
    private readonly record struct Touch(int Node, int Access)
    {
        public static Touch None => new(-1, -1);
    }
}
