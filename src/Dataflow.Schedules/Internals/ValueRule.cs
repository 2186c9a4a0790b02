using System.Collections.Immutable;

namespace Dataflow.Schedules.Internals;

/// <summary>
/// Rules <c>value</c> and <c>tenancy</c>: one step in issue order, following which version of which object each byte of each slot holds. A
/// write makes a new version, a copy takes the version along. An access that reads has to find its object's latest version in all its
/// bytes. State and inputs are latest at the start; nothing else is defined then, so that no value of the step before can pass for one of
/// this step.
/// </summary>
internal sealed class ValueRule
{
    /// <summary>The version that state and inputs have at the start; 0 is none.</summary>
    private const int Initial = 1;

    private readonly Schedule schedule;
    private readonly ErrorList errors;
    private readonly RangeMap<Content>[] slots;
    private readonly RangeMap<int>[] latest; // [object]
    private readonly List<int> writers = [-1, -1]; // [version]: the op that made it

    private ValueRule(Schedule schedule, ErrorList errors)
    {
        this.schedule = schedule;
        this.errors = errors;
        slots = new RangeMap<Content>[schedule.Slots.AsSpan().Length];
        for (int s = 0; s < slots.Length; s++)
        {
            slots[s] = new RangeMap<Content>(schedule.Slots[s].Length.Value, default);
        }

        latest = new RangeMap<int>[schedule.Objects.AsSpan().Length];
        for (int o = 0; o < latest.Length; o++)
        {
            latest[o] = new RangeMap<int>(schedule.Objects[o].Length.Value, 0);
        }
    }

    public static void Check(Schedule schedule, ErrorList errors)
    {
        var rule = new ValueRule(schedule, errors);
        rule.Start(schedule.Inputs);
        rule.Start(schedule.State);
        int count = schedule.Ops.AsSpan().Length;
        for (int i = 0; i < count && !errors.IsFull; i++)
        {
            rule.Run(i, schedule.Ops[i]);
        }

        rule.End("state", schedule.State);
        rule.End("output", schedule.Outputs);
    }

    private void Start(ImmutableArray<Placement> placements)
    {
        foreach (Placement p in placements.AsSpan())
        {
            long length = schedule.Objects[p.Object].Length.Value;
            if (length > 0)
            {
                slots[p.Slot].Assign(0, length, new Content(p.Object, Initial));
                latest[p.Object].Assign(0, length, Initial);
            }
        }
    }

    private void Run(int index, ScheduledOp op)
    {
        // Operands are read before results are written, whatever their order in the list.
        ReadOnlySpan<Access> accesses = op.Accesses.AsSpan();
        foreach (ref readonly Access access in accesses)
        {
            if (access.Reads && Fault(access.Object, access.Slot, access.Offset.Value, access.Length.Value) is { } fault)
            {
                errors.Add("value", index, $"reads {errors.Access(access)}, but {fault}");
            }
        }

        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            int to = accesses[0].Writes ? 0 : 1;
            Copy(accesses[1 - to], accesses[to]);
            return;
        }

        foreach (ref readonly Access access in accesses)
        {
            if (access.Writes)
            {
                int version = writers.Count;
                writers.Add(index);
                long end = access.Offset.Value + access.Length.Value;
                slots[access.Slot].Assign(access.Offset.Value, end, new Content(access.Object, version));
                latest[access.Object].Assign(access.Offset.Value, end, version);
            }
        }
    }

    private void Copy(in Access from, in Access to)
    {
        RangeMap<Content> source = slots[from.Slot];
        long start = from.Offset.Value;
        long end = start + from.Length.Value;
        for (int piece = source.Find(start); piece < source.Count && source.Start(piece) < end; piece++)
        {
            slots[to.Slot].Assign(Math.Max(start, source.Start(piece)), Math.Min(end, source.End(piece)), source[piece]);
        }
    }

    private void End(string kind, ImmutableArray<Placement> placements)
    {
        foreach (Placement p in placements.AsSpan())
        {
            long length = schedule.Objects[p.Object].Length.Value;
            if (length > 0 && Fault(p.Object, p.Slot, 0, length) is { } fault)
            {
                errors.Add(
                    "tenancy",
                    null,
                    $"{kind} {errors.Object(p.Object)} is not in slot {errors.Slot(p.Slot)} at the end of the step: {fault}"
                );
            }
        }
    }

    /// <summary>What is wrong with the first bytes of a range that do not hold an object's latest version; null if all do.</summary>
    private string? Fault(int o, int slot, long start, long length)
    {
        RangeMap<Content> held = slots[slot];
        RangeMap<int> wanted = latest[o];
        int h = held.Find(start);
        int w = wanted.Find(start);
        for (long at = start; at < start + length;)
        {
            long next = Math.Min(start + length, Math.Min(held.End(h), wanted.End(w)));
            Content content = held[h];
            if (content.Version == 0 || content.Object != o || content.Version != wanted[w])
            {
                return $"bytes {at} to {next} {Describe(content, o, wanted[w])}";
            }

            h += next == held.End(h) ? 1 : 0;
            w += next == wanted.End(w) ? 1 : 0;
            at = next;
        }

        return null;
    }

    private string Describe(Content content, int o, int wanted) => content switch
    {
        { Version: 0 } => "are undefined",
        _ when content.Object != o => $"hold another tenant, {errors.Object(content.Object)}, {Origin(content.Version)}",
        _ => $"are stale, {Origin(content.Version)}; the latest are {Origin(wanted)}",
    };

    private string Origin(int version) =>
        version == Initial ? "there since the start of the step" : $"written by {errors.Op(writers[version])}";

    /// <summary>What a byte holds; version 0 is nothing that counts.</summary>
    private readonly record struct Content(int Object, int Version);
}
