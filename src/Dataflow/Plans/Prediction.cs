using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What the simulator says a plan takes on the machine that runs it.</summary>
/// <param name="Machine">Whose rates it rests on.</param>
/// <param name="Timeline">Of a step by itself: training waits for each step's end.</param>
public sealed record Prediction(HardwareProfile Machine, Timeline Timeline)
{
    /// <summary>Seconds of a step.</summary>
    public double Seconds => Timeline.StepNanoseconds / 1e9;

    /// <summary>It is by a few seconds of measurement.</summary>
    public bool IsQuick { get; private init; }

    /// <summary>
    /// What part of the processors other programs had during that measurement, 0 to 1; 0 where it was little. Steps are faster than
    /// predicted once they have ended, and the first run then measures again.
    /// </summary>
    public double TakenByOthers { get; private init; }

    /// <summary>
    /// For the machine that a run takes place on; null where it has no profile, or where ops run in an order of the device's own. A CPU
    /// that nobody calibrated is measured for a few seconds, if there is memory for that.
    /// </summary>
    /// <param name="plan">The plan that runs.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="named">What --hardware says; null if nothing.</param>
    /// <param name="free">Memory that the run leaves free.</param>
    /// <param name="graphs">Steps are launched as CUDA graphs.</param>
    /// <param name="remember">Whether such a measurement may be kept, and one that was kept be used.</param>
    public static Prediction? For(TrainingPlan plan, DeviceOptions device, HardwareProfile? named, Bytes free, bool graphs, bool remember)
    {
        if (device.Interleaving is not null || HardwareFiles.ThisMachine(device.Kind, named) is not { } machine)
        {
            return null;
        }

        var quick =
            device.Kind == DeviceKind.Cpu && machine != named && machine.Kernels is null
                ? QuickMeasurement.Of(device, plan.Workload.Recipe, free, remember)
                : null;
        var rates = quick?.Profile ?? (graphs ? machine.WithGraphs() : machine);
        return For(plan, rates) with { IsQuick = quick is not null, TakenByOthers = quick?.TakenByOthers ?? 0 };
    }

    /// <summary>Seconds of a step by itself on a machine.</summary>
    public static double SecondsOf(Schedule schedule, Workload workload, HardwareProfile machine)
    {
        var model = Plans.CostsOn(machine, workload.Recipe);
        return Simulator.Alone(schedule, OpCosts.Of(schedule, workload, model), model.Links).StepNanoseconds / 1e9;
    }

    /// <summary>For a machine.</summary>
    public static Prediction For(TrainingPlan plan, HardwareProfile machine)
    {
        var model = Plans.CostsOn(machine, plan.Workload.Recipe);
        return new Prediction(machine, Simulator.Alone(plan.Schedule, OpCosts.Of(plan.Schedule, plan.Workload, model), model.Links));
    }
}
