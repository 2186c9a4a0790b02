using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>What single ops of a workload take of a machine.</summary>
public sealed class OpTimer(Workload workload, CostModel machine)
{
    private readonly OpWork work = new(workload);

    /// <summary>The links, as copies share them.</summary>
    public LinkRates Links => machine.Links;

    /// <summary>A copy its bytes on a link, by the arenas it goes between; a compute op the sum over its kernels.</summary>
    public OpCost Of(ScheduledOp op)
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
