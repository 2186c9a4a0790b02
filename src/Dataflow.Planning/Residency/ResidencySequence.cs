using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Residencies of one workload in a fixed order, each with at least the device memory and at most the host memory of the one before.
/// </summary>
internal abstract class ResidencySequence
{
    private Footprint?[]? footprints;

    /// <summary>Number of residencies.</summary>
    public abstract int Count { get; }

    /// <summary>The residency at that place.</summary>
    public abstract Residency this[int index] { get; }

    /// <summary>Memory of the residency at that place, without what is reserved beside the arena.</summary>
    public Footprint FootprintAt(int index)
    {
        // Searches at many budgets look at the same places. Two threads may both measure one: they find the same.
        footprints ??= new Footprint?[Count];
        return footprints[index] ??= Measure(this[index]);
    }

    /// <summary>
    /// The last place with at most that much device memory, what is reserved beside the arena included; -1 if there is none.
    /// </summary>
    public int LastWithin(Bytes device, DeviceReserve reserve)
    {
        // The reserve is between that of the first place and that without host memory: what lies between the two is looked at one by one.
        var most = reserve == DeviceReserve.None ? Bytes.Zero : reserve.For(FootprintAt(0).Host);
        int certain = FirstWhere(i => FootprintAt(i).Device + most > device) - 1;
        int last = reserve == DeviceReserve.None ? certain : FirstWhere(i => FootprintAt(i).Device + reserve.Least > device) - 1;
        while (last > certain && DeviceAt(last, reserve) > device)
        {
            last--;
        }

        return last;
    }

    /// <summary>
    /// The least device memory of a place and all after it, what is reserved included: one that frees much of the host may take less.
    /// </summary>
    public Bytes LeastDeviceFrom(int index, DeviceReserve reserve)
    {
        var least = DeviceAt(index, reserve);
        for (int i = index + 1; i < Count && FootprintAt(i).Device + reserve.Least < least; i++)
        {
            var device = DeviceAt(i, reserve);
            least = device < least ? device : least;
        }

        return least;
    }

    /// <summary>The first place with at most that much host memory; Count if there is none.</summary>
    public int FirstWithin(Bytes host) => FirstWhere(i => FootprintAt(i).Host <= host);

    /// <summary>The place farthest along that fits both memories, what is reserved included; -1 if none does.</summary>
    public int LastWithin(MemoryBudget budget, DeviceReserve reserve) =>
        LastWithin(budget.Device, reserve) is >= 0 and var last && FootprintAt(last).Host <= budget.Host ? last : -1;

    /// <summary>Memory of one of the residencies.</summary>
    protected abstract Footprint Measure(Residency residency);

    private Bytes DeviceAt(int index, DeviceReserve reserve)
    {
        var memory = FootprintAt(index);
        return memory.Device + reserve.For(memory.Host);
    }

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
