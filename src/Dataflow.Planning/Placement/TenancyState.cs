using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What the tenancy pass knows of an object at one moment; times count compute ops over all steps.</summary>
internal sealed class ObjectState(int id, StepObject item, PoolState pool)
{
    public int Id { get; } = id;

    public PoolState Pool { get; } = pool;

    public Lifetime Life { get; } = item.Life;

    public Bytes Length { get; } = item.Length;

    public bool LeavesAtOnce { get; } = item.LeavesAtOnce;

    /// <summary>The op of a step that uses it first.</summary>
    public int FirstOp { get; set; } = int.MaxValue;

    /// <summary>The op of a step that uses it last.</summary>
    public int LastOp { get; set; } = -1;

    public int Slot { get; set; } = -1;

    public long LastUse { get; set; } = -1;

    /// <summary>Its rank in the order of leaving: the largest key leaves first.</summary>
    public long Key { get; set; }

    /// <summary>Where its pool keeps it.</summary>
    public int Place { get; set; }

    public long InUse { get; set; } = -1;

    /// <summary>The op after which its home was written last.</summary>
    public long SavedAt { get; set; } = -1;

    /// <summary>One past the last byte that was written in this step: the rest is undefined.</summary>
    public Bytes WrittenEnd { get; set; }

    /// <summary>One past the last byte that any later op wants: what lies beyond need not travel.</summary>
    public Bytes WantedEnd { get; set; }

    /// <summary>Its bytes are nowhere else: it may not leave.</summary>
    public bool Pinned { get; set; }
}

/// <summary>Bytes of a slot's tenant that are newer than its home.</summary>
/// <param name="Offset">The first of them, within the object.</param>
/// <param name="Length">How many.</param>
/// <param name="Time">The op that wrote them last.</param>
internal readonly record struct DirtyRange(Bytes Offset, Bytes Length, long Time)
{
    public Bytes End => Offset + Length;
}

/// <summary>
/// All bytes of a slot's tenant that are newer than its home: ranges that lie apart, in the order in which they were written.
/// </summary>
internal sealed class DirtyRanges
{
    private readonly List<DirtyRange> ranges = [];
    private Bytes end;

    public IReadOnlyList<DirtyRange> All => ranges;

    public int Count => ranges.Count;

    public void Clear()
    {
        ranges.Clear();
        end = Bytes.Zero;
    }

    public void Mark(Bytes offset, Bytes length, long time)
    {
        var written = new DirtyRange(offset, length, time);

        // A step writes an object's ranges in order, again and again: look at the newest first, and no further than needed.
        var left = offset < end ? length : Bytes.Zero;
        for (int i = ranges.Count - 1; i >= 0 && left > Bytes.Zero; i--)
        {
            var old = ranges[i];
            if (old.Offset == offset && old.Length == length)
            {
                ranges[i] = written;
                return;
            }

            if (old.Offset < written.End && offset < old.End)
            {
                ranges.RemoveAt(i);
                Add(old.Offset, offset, old.Time);
                Add(written.End, old.End, old.Time);
                left -= (old.End < written.End ? old.End : written.End) - Bytes.Max(old.Offset, offset);
            }
        }

        ranges.Add(written);
        end = Bytes.Max(end, written.End);
    }

    private void Add(Bytes from, Bytes to, long time)
    {
        if (from < to)
        {
            ranges.Add(new DirtyRange(from, to - from, time));
        }
    }
}

/// <summary>The slots of a pool: who lives there, in order of leaving, and which are free since when.</summary>
internal sealed class PoolState(Pool pool, int firstSlot)
{
    // A binary heap: nobody leaves before the one above.
    private readonly ObjectState[] tenants = new ObjectState[pool.SlotCount];

    /// <summary>Tenants.</summary>
    public int Count { get; private set; }

    /// <summary>Longest free first.</summary>
    public Queue<(int Slot, long Since)> Free { get; private set; } = Fresh(firstSlot, pool.SlotCount, -1);

    /// <summary>Nothing stays from step to step, because the order of use never repeats otherwise.</summary>
    public bool EmptiedEachStep { get; set; }

    /// <summary>The tenant that leaves first.</summary>
    public ObjectState First => tenants[0];

    /// <summary>A pool without tenants starts every step with its slots in order, so that equal steps look equal.</summary>
    public void StartStep(long before)
    {
        if (Count == 0)
        {
            Free = Fresh(firstSlot, pool.SlotCount, before);
        }
    }

    /// <summary>Puts an object into a slot before the step.</summary>
    public void Place(ObjectState state, int slot)
    {
        Free = new Queue<(int, long)>(Free.Where(f => f.Slot != slot));
        state.Slot = slot;
        state.Key = -state.LastUse;
        Add(state);
    }

    /// <summary>Takes the slot that has been free longest.</summary>
    public long Enter(ObjectState state)
    {
        (state.Slot, long since) = Free.Dequeue();
        state.Key = long.MinValue;
        Add(state);
        return since;
    }

    /// <summary>A tenant is used now and will be next at that time.</summary>
    public void Touch(ObjectState state, long now, long nextUse)
    {
        state.LastUse = now;
        state.Key = pool.Replacement == Replacement.FarthestUse ? nextUse : -now;
        Settle(state);
    }

    public void Release(ObjectState state)
    {
        var last = tenants[--Count];
        if (last != state)
        {
            tenants[last.Place = state.Place] = last;
            Settle(last);
        }

        Free.Enqueue((state.Slot, state.LastUse));
        state.Slot = -1;
    }

    /// <summary>Where slots rotate, the tenant that has been idle for longer than any slot has been free.</summary>
    public ObjectState? IdleLongerThanFree(long now) =>
        pool.Replacement == Replacement.Rotation && FirstToLeave(now) is { } tenant && tenant.LastUse < Free.Peek().Since ? tenant : null;

    /// <summary>The slot whose tenant has just left, although it was idle longest, comes first again.</summary>
    public void FreeInOrder() => Free = new Queue<(int, long)>(Free.OrderBy(f => f.Since));

    /// <summary>The first to leave of those that may; null if none may.</summary>
    public ObjectState? FirstToLeave(long now) => FirstToLeave(0, now);

    /// <summary>Equal for two moments a step apart exactly if the pool is in the same condition.</summary>
    public long[] Condition(DirtyRanges[] dirty, int period)
    {
        var condition = new List<long> { Count };
        var inOrder = tenants.AsSpan(0, Count).ToArray();
        Array.Sort(inOrder, (a, b) => Precedes(a, b) ? -1 : 1);
        foreach (var tenant in inOrder)
        {
            var ranges = dirty[tenant.Slot];
            condition.AddRange(tenant.Id, tenant.Slot, ranges.Count);
            foreach (var range in ranges.All)
            {
                condition.AddRange(range.Offset.Value, range.Length.Value, range.Time % period);
            }
        }

        if (Count > 0)
        {
            condition.AddRange(Free.Select(f => (long)f.Slot));
        }

        return [.. condition];
    }

    private static Queue<(int, long)> Fresh(int first, int count, long since) =>
        new(Enumerable.Range(first, count).Select(s => (s, since)));

    private static bool Precedes(ObjectState a, ObjectState b) => a.Key != b.Key ? a.Key > b.Key : a.Id > b.Id;

    private void Add(ObjectState state)
    {
        tenants[state.Place = Count++] = state;
        Settle(state);
    }

    /// <summary>Moves a tenant whose key has changed up or down to its place.</summary>
    private void Settle(ObjectState state)
    {
        int place = state.Place;
        for (int above = (place - 1) / 2; place > 0 && Precedes(state, tenants[above]); above = (place - 1) / 2)
        {
            (tenants[place] = tenants[above]).Place = place;
            place = above;
        }

        for (int below = (2 * place) + 1; below < Count; below = (2 * place) + 1)
        {
            below += below + 1 < Count && Precedes(tenants[below + 1], tenants[below]) ? 1 : 0;
            if (!Precedes(tenants[below], state))
            {
                break;
            }

            (tenants[place] = tenants[below]).Place = place;
            place = below;
        }

        (tenants[place] = state).Place = place;
    }

    private ObjectState? FirstToLeave(int place, long now)
    {
        if (place >= Count)
        {
            return null;
        }

        var tenant = tenants[place];
        if (tenant.InUse != now && !tenant.Pinned)
        {
            return tenant;
        }

        var (left, right) = (FirstToLeave((2 * place) + 1, now), FirstToLeave((2 * place) + 2, now));
        return left is null || (right is not null && Precedes(right, left)) ? right : left;
    }
}
