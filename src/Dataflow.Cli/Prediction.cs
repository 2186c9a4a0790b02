using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Cli;

/// <summary>What the simulator says a plan takes on the machine that runs it.</summary>
/// <param name="Timeline">Of a step by itself: training waits for each step's end.</param>
internal sealed record Prediction(HardwareProfile Machine, Timeline Timeline)
{
    /// <summary>Seconds of a step.</summary>
    public double Seconds => Timeline.StepNanoseconds / 1e9;

    /// <summary>For the machine that a run takes place on; null where it has no profile, or where ops run in an order of the device's own.</summary>
    public static Prediction? For(TrainingPlan plan, DeviceSettings device, HardwareProfile? named) =>
        device.Interleaving is null && HardwareFiles.ThisMachine(device.Kind, named) is { } machine ? For(plan, machine) : null;

    /// <summary>For a machine.</summary>
    public static Prediction For(TrainingPlan plan, HardwareProfile machine)
    {
        var model = Plans.CostsOn(machine, plan.Workload.Recipe);
        return new Prediction(machine, Simulator.Alone(plan.Schedule, OpCosts.Of(plan.Schedule, plan.Workload, model), model.Links));
    }
}
