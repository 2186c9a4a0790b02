using System.Collections.Immutable;

namespace Dataflow.Schedules.Internals;

/// <summary>
/// Rule <c>structure</c>: what has to hold for the other rules to make sense. Indices name things that exist; no two slots or
/// objects have one name; slots lie inside their arenas
/// and apart; an object fits the slot it is in and an access the object; at most one object is in a slot at the start of a step; a copy has
/// a "from" and a "to" with the same bytes of the same object in different slots; no other op accesses a byte it writes twice; a wait names
/// an earlier op of this step or any op of the step before, on another stream.
/// </summary>
internal sealed class StructureRule(Schedule schedule, ErrorList errors)
{
    private readonly int arenaCount = schedule.Arenas.AsSpan().Length;
    private readonly int slotCount = schedule.Slots.AsSpan().Length;
    private readonly int objectCount = schedule.Objects.AsSpan().Length;
    private readonly int streamCount = schedule.Streams.AsSpan().Length;
    private readonly int opCount = schedule.Ops.AsSpan().Length;

    public void Check()
    {
        foreach (Arena arena in schedule.Arenas.AsSpan())
        {
            if (arena.Length.Value < 0)
            {
                Add(null, $"arena {arena.Name} has length {arena.Length.Value}");
            }
        }

        foreach (DataObject o in schedule.Objects.AsSpan())
        {
            if (o.Length.Value < 0)
            {
                Add(null, $"object {o.Name} has length {o.Length.Value}");
            }
        }

        CheckNames("slot", schedule.Slots.AsSpan(), s => s.Name);
        CheckNames("object", schedule.Objects.AsSpan(), o => o.Name);
        CheckSlots();
        CheckPlacements();
        for (int i = 0; i < opCount && !errors.IsFull; i++)
        {
            CheckOp(i, schedule.Ops[i]);
        }
    }

    /// <summary>The runtime finds objects by name, and a printed schedule slots.</summary>
    private void CheckNames<T>(string kind, ReadOnlySpan<T> items, Func<T, string> nameOf)
    {
        var names = new HashSet<string>(items.Length);
        foreach (T item in items)
        {
            if (!names.Add(nameOf(item)))
            {
                Add(null, $"more than one {kind} is called {nameOf(item)}");
            }
        }
    }

    private void CheckSlots()
    {
        for (int s = 0; s < slotCount; s++)
        {
            Slot slot = schedule.Slots[s];
            if ((uint)slot.Arena >= (uint)arenaCount)
            {
                Add(null, $"slot {errors.Slot(s)} is in arena {slot.Arena}, there are {arenaCount}");
            }
            else if (!Inside(slot.Offset.Value, slot.Length.Value, schedule.Arenas[slot.Arena].Length.Value))
            {
                Arena arena = schedule.Arenas[slot.Arena];
                Add(
                    null,
                    $"slot {errors.Slot(s)} at {slot.Offset.Value}+{slot.Length.Value} is not inside arena {arena.Name} of "
                        + $"{arena.Length.Value} bytes"
                );
            }
        }

        int[] order = [.. Enumerable.Range(0, slotCount).Where(s => schedule.Slots[s].Length.Value > 0)
            .OrderBy(s => schedule.Slots[s].Arena).ThenBy(s => schedule.Slots[s].Offset.Value)];
        for (int k = 1; k < order.Length; k++)
        {
            Slot a = schedule.Slots[order[k - 1]];
            Slot b = schedule.Slots[order[k]];
            if (a.Arena == b.Arena && b.Offset.Value - a.Offset.Value < a.Length.Value)
            {
                Add(
                    null,
                    $"slots {errors.Slot(order[k - 1])} at {a.Offset.Value}+{a.Length.Value} and {errors.Slot(order[k])} at "
                        + $"{b.Offset.Value}+{b.Length.Value} overlap"
                );
            }
        }
    }

    private void CheckPlacements()
    {
        var tenants = new Dictionary<int, int>();
        foreach ((string kind, ImmutableArray<Placement> placements) in new[]
            { ("input", schedule.Inputs), ("state", schedule.State), ("output", schedule.Outputs) })
        {
            foreach (Placement p in placements.AsSpan())
            {
                if (!CheckPlace(null, p.Object, p.Slot) || kind == "output")
                {
                    continue;
                }

                if (!tenants.TryAdd(p.Slot, p.Object) && tenants[p.Slot] != p.Object)
                {
                    Add(
                        null,
                        $"{kind} {errors.Object(p.Object)} is in slot {errors.Slot(p.Slot)} at the start of a step, and so is "
                            + $"{errors.Object(tenants[p.Slot])}"
                    );
                }
            }
        }
    }

    /// <summary>The object and the slot exist, and one fits the other.</summary>
    private bool CheckPlace(int? op, int o, int slot)
    {
        bool exist = (uint)o < (uint)objectCount && (uint)slot < (uint)slotCount;
        if (!exist)
        {
            Add(op, $"names object {o} in slot {slot}; there are {objectCount} objects and {slotCount} slots");
        }
        else if (schedule.Objects[o].Length > schedule.Slots[slot].Length)
        {
            Add(
                op,
                $"places {errors.Object(o)} of {schedule.Objects[o].Length.Value} bytes in slot {errors.Slot(slot)} of "
                    + $"{schedule.Slots[slot].Length.Value}"
            );
        }

        return exist;
    }

    private void CheckOp(int index, ScheduledOp op)
    {
        if ((uint)op.Stream >= (uint)streamCount)
        {
            Add(index, $"is on stream {op.Stream}, there are {streamCount}");
        }

        if (!Enum.IsDefined(op.Kind))
        {
            Add(index, "is of no known kind");
        }

        ReadOnlySpan<Access> accesses = op.Accesses.AsSpan();
        int before = errors.Count;
        foreach (ref readonly Access access in accesses)
        {
            CheckAccess(index, access);
        }

        // Of ranges that are not sound by themselves nothing more is said.
        bool sound = errors.Count == before;
        if (op.Kind is not (OpKind.Fetch or OpKind.Save))
        {
            CheckOverlap(index, sound ? accesses : []);
        }
        else if (sound && !IsCopy(accesses))
        {
            Add(
                index,
                "is a copy but does not have just a 'from' that reads and a 'to' that writes the same bytes of the same object in "
                    + "different slots"
            );
        }

        foreach (Wait wait in op.Waits.AsSpan())
        {
            CheckWait(index, op, wait);
        }
    }

    private void CheckAccess(int index, in Access access)
    {
        if (access.Mode is not (AccessMode.Read or AccessMode.Write or AccessMode.ReadWrite))
        {
            Add(index, $"accesses {errors.Access(access)} in no known mode");
        }

        if (access.Length.Value <= 0)
        {
            Add(index, $"accesses no byte with {errors.Access(access)}");
        }
        else if (CheckPlace(index, access.Object, access.Slot)
            && !Inside(access.Offset.Value, access.Length.Value, schedule.Objects[access.Object].Length.Value))
        {
            Add(index, $"accesses {errors.Access(access)} outside the object's {schedule.Objects[access.Object].Length.Value} bytes");
        }
    }

    private void CheckOverlap(int index, ReadOnlySpan<Access> accesses)
    {
        for (int b = 1; b < accesses.Length; b++)
        {
            for (int a = 0; a < b; a++)
            {
                if (accesses[a].Slot == accesses[b].Slot && (accesses[a].Writes || accesses[b].Writes)
                    && accesses[a].Offset < accesses[b].Offset + accesses[b].Length
                    && accesses[b].Offset < accesses[a].Offset + accesses[a].Length)
                {
                    Add(index, $"writes bytes it accesses twice: {errors.Access(accesses[a])} and {errors.Access(accesses[b])}");
                }
            }
        }
    }

    private void CheckWait(int index, ScheduledOp op, Wait wait)
    {
        if (wait.Distance is not (0 or 1))
        {
            Add(index, $"waits for an op {wait.Distance} steps ago: only this step (0) and the one before (1) can be named");
        }
        else if (wait.Op < 0 || wait.Op >= (wait.Distance == 0 ? index : opCount))
        {
            Add(index, $"waits for op {wait.Op}, which is not an {(wait.Distance == 0 ? "earlier op" : "op of the step before")}");
        }
        else if (schedule.Ops[wait.Op].Stream == op.Stream)
        {
            Add(index, $"waits for {errors.Op(wait.Op)} of its own stream, which FIFO order implies");
        }
    }

    private static bool IsCopy(ReadOnlySpan<Access> accesses) =>
        accesses.Length == 2
        && accesses[0] is { Role: "from", Mode: AccessMode.Read } or { Role: "to", Mode: AccessMode.Write }
        && accesses[1] is { Role: "from", Mode: AccessMode.Read } or { Role: "to", Mode: AccessMode.Write }
        && accesses[0].Role != accesses[1].Role
        && accesses[0].Object == accesses[1].Object && accesses[0].Slot != accesses[1].Slot
        && accesses[0].Offset == accesses[1].Offset && accesses[0].Length == accesses[1].Length;

    private static bool Inside(long offset, long length, long limit) => offset >= 0 && length >= 0 && offset <= limit - length;

    private void Add(int? op, string message) => errors.Add("structure", op, message);
}
