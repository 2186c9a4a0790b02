using System.Globalization;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What the tenancy pass knows of an object at one moment; times count compute ops over all steps.</summary>
internal sealed class ObjectState
{
    public int Slot { get; set; } = -1;

    public long LastUse { get; set; } = -1;

    /// <summary>Its place in the order of leaving: the largest key leaves first.</summary>
    public long Key { get; set; }

    public long InUse { get; set; } = -1;

    /// <summary>The op after which its home was written last.</summary>
    public long SavedAt { get; set; } = -1;

    /// <summary>One past the last byte that was written in this step: the rest is undefined.</summary>
    public Bytes WrittenEnd { get; set; }

    /// <summary>One past the last byte that any later op wants: what lies beyond need not travel.</summary>
    public Bytes WantedEnd { get; set; }

    /// <summary>Its bytes are nowhere else: it may not leave.</summary>
    public bool Pinned { get; init; }

    /// <summary>Ranges newer than the home, each with the op that wrote it last.</summary>
    public List<(Bytes Offset, Bytes Length, long Time)> Dirty { get; } = [];

    public void MarkDirty(Bytes offset, Bytes length, long time)
    {
        // A step writes an object's ranges in order, again and again: look at the newest first.
        for (int i = Dirty.Count - 1; i >= 0; i--)
        {
            if (Dirty[i].Offset == offset && Dirty[i].Length == length)
            {
                Dirty[i] = (offset, length, time);
                return;
            }
        }

        for (int i = Dirty.Count - 1; i >= 0; i--)
        {
            var (from, old, at) = Dirty[i];
            if (from < offset + length && offset < from + old)
            {
                Dirty.RemoveAt(i);
                AddDirty(from, offset, at);
                AddDirty(offset + length, from + old, at);
            }
        }

        Dirty.Add((offset, length, time));
        WrittenEnd = Bytes.Max(WrittenEnd, offset + length);
    }

    private void AddDirty(Bytes from, Bytes to, long time)
    {
        if (from < to)
        {
            Dirty.Add((from, to - from, time));
        }
    }
}

/// <summary>The slots of a pool: who lives there, in order of last use, and which are free since when.</summary>
internal sealed class PoolState(int firstSlot, int slotCount, Replacement replacement)
{
    /// <summary>In the order of leaving, the first to leave last.</summary>
    public SortedSet<(long Key, int Object)> Tenants { get; } = [];

    /// <summary>Longest free first.</summary>
    public Queue<(int Slot, long Since)> Free { get; private set; } = Fresh(firstSlot, slotCount, -1);

    /// <summary>Nothing stays from step to step, because the order of use never repeats otherwise.</summary>
    public bool EmptiedEachStep { get; set; }

    /// <summary>A pool without tenants starts every step with its slots in order, so that equal steps look equal.</summary>
    public void StartStep(long before)
    {
        if (Free.Count == slotCount)
        {
            Free = Fresh(firstSlot, slotCount, before);
        }
    }

    /// <summary>Puts an object into a slot before the step.</summary>
    public void Place(int id, ObjectState state, int slot)
    {
        Free = new Queue<(int, long)>(Free.Where(f => f.Slot != slot));
        state.Slot = slot;
        state.Key = -state.LastUse;
        Tenants.Add((state.Key, id));
    }

    /// <summary>A tenant, new or old, is used now and will be next at that time.</summary>
    public void Touch(int id, ObjectState state, long now, long nextUse)
    {
        Tenants.Remove((state.Key, id));
        state.LastUse = now;
        state.Key = replacement == Replacement.FarthestUse ? nextUse : -now;
        Tenants.Add((state.Key, id));
    }

    public void Release(int id, ObjectState state)
    {
        Tenants.Remove((state.Key, id));
        Free.Enqueue((state.Slot, state.LastUse));
        state.Slot = -1;
    }

    /// <summary>Equal for two moments a step apart exactly if the pool is in the same condition.</summary>
    public string Signature(ObjectState[] states, int period)
    {
        var text = new StringBuilder();
        foreach (var (_, id) in Tenants)
        {
            text.Append(CultureInfo.InvariantCulture, $"{id}@{states[id].Slot}");
            foreach (var (offset, length, time) in states[id].Dirty)
            {
                text.Append(CultureInfo.InvariantCulture, $"+{offset.Value}:{length.Value}:{time % period}");
            }

            text.Append(';');
        }

        if (Free.Count < slotCount)
        {
            foreach (var (slot, _) in Free)
            {
                text.Append(CultureInfo.InvariantCulture, $"{slot},");
            }
        }

        return text.ToString();
    }

    private static Queue<(int, long)> Fresh(int first, int count, long since) => new(Enumerable.Range(first, count).Select(s => (s, since)));
}
