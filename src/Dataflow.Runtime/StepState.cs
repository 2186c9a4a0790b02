using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// The objects that the runtime sees between steps: state (parameters, moments), inputs and outputs, by name, wherever the plan keeps
/// them. Writing goes to every place that holds the object, reading comes from any.
/// </summary>
public sealed class StepState
{
    private readonly IDevice device;
    private readonly Dictionary<string, int[]> written = [];
    private readonly Dictionary<string, int> read = [];

    /// <summary>Finds the places of a schedule's state, inputs and outputs on a device that runs it.</summary>
    public StepState(Schedule schedule, IDevice device)
    {
        this.device = device;
        foreach (var group in schedule.State.Concat(schedule.Inputs).GroupBy(p => schedule.Objects[p.Object].Name))
        {
            written[group.Key] = [.. group.Select(p => p.Slot)];
        }

        foreach (var placement in schedule.State.Concat(schedule.Outputs))
        {
            read[schedule.Objects[placement.Object].Name] = placement.Slot;
        }
    }

    /// <summary>Whether the step reads that object from the runtime or from the step before.</summary>
    public bool Has(string name) => written.ContainsKey(name);

    /// <summary>Writes bytes of an object that is state or input.</summary>
    public void Write(string name, Bytes offset, ReadOnlySpan<byte> source)
    {
        foreach (int slot in written[name])
        {
            device.Write(slot, offset, source);
        }
    }

    /// <summary>Reads bytes of an object that is state or output.</summary>
    public void Read(string name, Bytes offset, Span<byte> destination) => device.Read(read[name], offset, destination);
}
