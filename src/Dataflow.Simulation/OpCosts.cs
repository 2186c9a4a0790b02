using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>What the ops of a schedule take of a machine.</summary>
public static class OpCosts
{
    /// <summary>Per op: a copy its bytes on a link, by the arenas it goes between; a compute op the sum over its kernels.</summary>
    public static OpCost[] Of(Schedule schedule, Workload workload, CostModel machine)
    {
        var work = new OpWork(workload);
        var costs = new OpCost[schedule.Ops.Length];
        for (int i = 0; i < costs.Length; i++)
        {
            costs[i] = Of(schedule.Ops[i], work, machine);
        }

        return costs;
    }

    private static OpCost Of(ScheduledOp op, OpWork work, CostModel machine)
    {
        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            var direction = op.Kind == OpKind.Fetch ? LinkDirection.HostToDevice : LinkDirection.DeviceToHost;
            return machine.Copy(direction, op.Accesses.Single(a => a.Role == Roles.From).Length.Value);
        }

        double seconds = 0;
        foreach (var run in work.Of(op))
        {
            seconds += run.Times * machine.Seconds(run.Kernel, run.Work);
        }

        return OpCost.Compute(CostModel.Nanoseconds(seconds));
    }
}
