using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>Whether a run's steps are launched as CUDA graphs. Speed depends on it, and device memory; results do not.</summary>
/// <param name="Used">They are.</param>
/// <param name="Note">A sentence on why, where the simulator had a say.</param>
internal sealed record GraphChoice(bool Used, string? Note)
{
    /// <summary>Of a step's time: launches that cost less than this are not worth the memory of a graph.</summary>
    private const double LeastSaved = 0.02;

    /// <summary>
    /// What a graph takes of device memory for each of its kernels: about 10 KB were measured by others (NVIDIA/cccl, pull request 3768),
    /// and none yet by this project.
    /// </summary>
    private static readonly Bytes s_perLaunch = new(10 << 10);

    /// <summary>For a plan: as asked for; auto where the simulator says that launches bind and the budget has room for the graph.</summary>
    /// <param name="plan">What runs.</param>
    /// <param name="device">Where, and what was asked for.</param>
    /// <param name="machine">Its profile; null: auto is off.</param>
    public static GraphChoice Of(TrainingPlan plan, DeviceOptions device, HardwareProfile? machine)
    {
        if (device.Kind == DeviceKind.Cpu || device.Graphs != GraphUse.Auto || machine is null)
        {
            return new GraphChoice(device.Graphs == GraphUse.On, null);
        }

        double launched = Prediction.SecondsOf(plan.Schedule, plan.Workload, machine);
        double saved = 1 - (Prediction.SecondsOf(plan.Schedule, plan.Workload, machine.WithGraphs()) / launched);
        if (saved < LeastSaved)
        {
            return new GraphChoice(false, null);
        }

        long launches = StepCosts.Of(plan.Schedule, plan.Workload, Plans.CostsOn(machine, plan.Workload.Recipe)).Launches;
        string share = (100 * saved).ToString("0.0", CultureInfo.InvariantCulture);
        var (needed, room) = (launches * s_perLaunch, plan.Budget.Device - plan.DevicePeak);
        return needed <= room
            ? new GraphChoice(true, $"steps are launched as CUDA graphs, which is predicted to save {share}% of their time")
            : new GraphChoice(
                false,
                $"CUDA graphs would save {share}% of a step's predicted time, but a graph of {launches:N0} launches takes about {needed} "
                    + $"of device memory and the plan leaves {room} of its budget; give --device-memory "
                    + $"{((plan.DevicePeak + needed).Value + (1 << 20) - 1) >> 20}MiB, or "
                    + "--cuda-graphs on where there is more"
            );
    }
}
