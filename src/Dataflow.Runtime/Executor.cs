using Dataflow.Schedules;

namespace Dataflow.Runtime;

/// <summary>
/// Runs steps of a schedule on a device: one loop over the ops in issue order. It takes no decision and knows no device; order comes
/// from the schedule alone.
/// </summary>
public sealed class Executor(Schedule schedule, IDevice device)
{
    /// <summary>The loop body.</summary>
    public Schedule Schedule { get; } = schedule;

    /// <summary>Runs one step and returns when it has completed.</summary>
    public void RunStep(in StepArguments arguments)
    {
        device.BeginStep(arguments);
        var ops = Schedule.Ops;
        for (int i = 0; i < ops.Length; i++)
        {
            foreach (var wait in ops[i].Waits)
            {
                device.Wait(ops[i].Stream, wait);
            }

            device.Launch(i);
        }

        device.Synchronize();
    }
}
