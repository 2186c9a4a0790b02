using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// The objects that the runtime sees between steps: state (parameters, moments), inputs and outputs, by what they are, wherever the plan
/// keeps them. Writing goes to every place that holds the object, reading comes from any.
/// </summary>
public sealed class StepState
{
    private readonly IDevice device;
    private readonly Dictionary<ObjectId, int[]> written = [];
    private readonly Dictionary<ObjectId, int> read = [];

    /// <summary>Finds the places of a schedule's state, inputs and outputs on a device that runs it.</summary>
    public StepState(Schedule schedule, IDevice device)
    {
        this.device = device;
        foreach (var group in schedule.State.Concat(schedule.Inputs).GroupBy(p => schedule.Objects[p.Object].Id))
        {
            if (group.Key is { } id)
            {
                written[id] = [.. group.Select(p => p.Slot)];
            }
        }

        foreach (var placement in schedule.State.Concat(schedule.Outputs))
        {
            if (schedule.Objects[placement.Object].Id is { } id)
            {
                read[id] = placement.Slot;
            }
        }
    }

    /// <summary>Whether the step reads that object from the runtime or from the step before.</summary>
    public bool Has(ObjectId id) => written.ContainsKey(id);

    /// <summary>Writes bytes of an object that is state or input.</summary>
    public void Write(ObjectId id, Bytes offset, ReadOnlySpan<byte> source)
    {
        foreach (int slot in written[id])
        {
            device.Write(slot, offset, source);
        }
    }

    /// <summary>Reads bytes of an object that is state or output.</summary>
    public void Read(ObjectId id, Bytes offset, Span<byte> destination) => device.Read(read[id], offset, destination);
}
