using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>What a step takes of a machine, op by op and as a whole.</summary>
/// <param name="Ops">Per op of the schedule.</param>
/// <param name="Flops">Of all kernels, recomputation included.</param>
/// <param name="CeilingSeconds">Of all kernels one after the other, each at the ceilings of the machine.</param>
public sealed record StepCosts(ImmutableArray<OpCost> Ops, double Flops, double CeilingSeconds)
{
    /// <summary>Of <see cref="Flops"/>, those of attention, with what is done again.</summary>
    public double AttentionFlops { get; private init; }

    /// <summary>Kernels and copies.</summary>
    public long Launches { get; private init; }

    /// <summary>Of a schedule; each op's kernels are looked at once.</summary>
    public static StepCosts Of(Schedule schedule, Workload workload, CostModel machine)
    {
        var timer = new OpTimer(workload, machine);
        var costs = ImmutableArray.CreateBuilder<OpCost>(schedule.Ops.Length);
        double flops = 0, attention = 0, ceiling = 0;
        long launches = 0;
        foreach (var op in schedule.Ops)
        {
            var runs = timer.Kernels(op);
            costs.Add(timer.Of(op, runs));
            launches += runs.Length == 0 ? 1 : runs.Sum(r => (long)r.Times);
            foreach (var run in runs)
            {
                flops += run.Times * run.Work.Flops;
                attention += run.Work.Class is KernelClass.AttentionForward or KernelClass.AttentionBackward
                    ? run.Times * run.Work.Flops
                    : 0;
                ceiling += run.Times * machine.CeilingSeconds(run.Work);
            }
        }

        return new StepCosts(costs.MoveToImmutable(), flops, ceiling) { AttentionFlops = attention, Launches = launches };
    }
}
