using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// The simulated time of a residency's step. The rounds between the first ones and the last ones are alike: a step of a few rounds is
/// lowered, and each round left out counts as long as those in its middle. Where these differ, the whole step is lowered.
/// </summary>
internal static class StepSimulation
{
    private const int Lowered = 6;

    /// <summary>Nanoseconds of a step in the steady state of the loop, and of these what the compute stream works.</summary>
    public static (long Step, long Compute) Of(Workload workload, Residency residency, CostModel machine)
    {
        int rounds = workload.Geometry.Rounds;
        if (rounds > Lowered + 2)
        {
            var few = workload with
            {
                Geometry = workload.Geometry with { Rounds = Lowered, Rows = Lowered * workload.Geometry.RowsPerRound },
            };
            var (schedule, costs, timeline) = Run(few, residency, machine);
            int[] heads = [.. Enumerable.Range(0, Lowered).Select(r => FirstHead(schedule, r))];
            long Between(int r) => timeline.Ops[heads[r + 1]].Start - timeline.Ops[heads[r]].Start;
            if (Between(2) == Between(3))
            {
                long left = rounds - Lowered;
                return (
                    timeline.StepNanoseconds + (left * Between(2)),
                    Compute(costs, 0, costs.Length) + (left * Compute(costs, heads[2], heads[3]))
                );
            }
        }

        var (_, all, whole) = Run(workload, residency, machine);
        return (whole.StepNanoseconds, Compute(all, 0, all.Length));
    }

    private static (Schedule Schedule, OpCost[] Costs, Timeline Timeline) Run(Workload workload, Residency residency, CostModel machine)
    {
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        var timer = new OpTimer(workload, programs, machine);
        var schedule = Planner.Lower(workload, programs, residency, timer);
        var costs = OpCosts.Of(schedule, timer);
        return (schedule, costs, Simulator.Steady(schedule, costs, machine.Links));
    }

    private static int FirstHead(Schedule schedule, int round)
    {
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            if (schedule.Ops[i].Kind is OpKind.Head or OpKind.HeadLoss && schedule.Ops[i].Round?.Index == round)
            {
                return i;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(round), round, "no such round");
    }

    private static long Compute(OpCost[] costs, int from, int to)
    {
        long sum = 0;
        for (int i = from; i < to; i++)
        {
            sum += costs[i].Link < 0 ? costs[i].Nanoseconds : 0;
        }

        return sum;
    }
}
