using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Simulation;

/// <summary>What the ops of a schedule take of a machine.</summary>
public static class OpCosts
{
    /// <summary>Per op, as <see cref="OpTimer"/> has it.</summary>
    public static OpCost[] Of(Schedule schedule, Workload workload, CostModel machine) => Of(schedule, new OpTimer(workload, machine));

    /// <summary>By a timer that may know some of its ops already.</summary>
    public static OpCost[] Of(Schedule schedule, OpTimer timer)
    {
        var costs = new OpCost[schedule.Ops.Length];
        for (int i = 0; i < costs.Length; i++)
        {
            costs[i] = timer.Of(schedule.Ops[i]);
        }

        return costs;
    }
}
