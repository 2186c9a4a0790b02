using System.Globalization;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>What the tenancy pass knows of an object at one moment; times count compute ops over all steps.</summary>
internal sealed class ObjectState
{
    public int Slot { get; set; } = -1;

    public LinkedListNode<int>? Node { get; set; }

    public long LastUse { get; set; } = -1;

    public long InUse { get; set; } = -1;

    /// <summary>The op after which its home was written last.</summary>
    public long SavedAt { get; set; } = -1;

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

        Dirty.Add((offset, length, time));
    }
}

/// <summary>The slots of a pool: who lives there, in order of last use, and which are free since when.</summary>
internal sealed class PoolState(int firstSlot, int slotCount)
{
    /// <summary>Longest idle first.</summary>
    public LinkedList<int> Tenants { get; } = new();

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

    public void Touch(int id, ObjectState state)
    {
        Tenants.Remove(state.Node!);
        state.Node = Tenants.AddLast(id);
    }

    public void Release(ObjectState state)
    {
        Tenants.Remove(state.Node!);
        Free.Enqueue((state.Slot, state.LastUse));
        state.Node = null;
        state.Slot = -1;
    }

    /// <summary>Equal for two moments a step apart exactly if the pool is in the same condition.</summary>
    public string Signature(ObjectState[] states, int period)
    {
        var text = new StringBuilder();
        foreach (int id in Tenants)
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
