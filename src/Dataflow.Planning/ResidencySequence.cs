using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>Residencies of one workload in a fixed order, each with at least the device memory and at most the host memory of the one before.</summary>
internal abstract class ResidencySequence
{
    /// <summary>Number of residencies.</summary>
    public abstract int Count { get; }

    /// <summary>The residency at that place.</summary>
    public abstract Residency this[int index] { get; }

    /// <summary>Memory of the residency at that place, without what is reserved beside the arena.</summary>
    public abstract Footprint FootprintAt(int index);

    /// <summary>The last place with at most that much device memory, -1 if there is none.</summary>
    public int LastWithin(Bytes device) => FirstWhere(i => FootprintAt(i).Device > device) - 1;

    /// <summary>The first place with at most that much host memory; Count if there is none.</summary>
    public int FirstWithin(Bytes host) => FirstWhere(i => FootprintAt(i).Host <= host);

    /// <summary>The place farthest along that fits both arenas, -1 if none does.</summary>
    public int LastWithin(MemoryBudget arenas) => LastWithin(arenas.Device) is >= 0 and var last && FootprintAt(last).Fits(arenas) ? last : -1;

    private int FirstWhere(Func<int, bool> holds)
    {
        int low = 0, high = Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            (low, high) = holds(middle) ? (low, middle) : (middle + 1, high);
        }

        return low;
    }
}
