using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Baseline;

/// <summary>How fast the published system would run a plan.</summary>
/// <param name="Schedule">The plan's step, as this project's simulator reads it.</param>
/// <param name="Timeline">One step that starts with its first parameters in place.</param>
/// <param name="StepSeconds">As that system measures it: from the first compute of a step until the last update is home.</param>
public sealed record BaselinePrediction(Schedule Schedule, Timeline Timeline, double StepSeconds)
{
    /// <summary>Lowers and simulates a plan.</summary>
    public static BaselinePrediction Of(BaselinePlan plan, CostModel machine) => Of(plan, BaselineLowering.Lower(plan), machine);

    /// <summary>Simulates a plan that was lowered.</summary>
    public static BaselinePrediction Of(BaselinePlan plan, Schedule schedule, CostModel machine) =>
        Of(schedule, BaselineCosts.Of(plan, schedule, machine), machine.Links);

    /// <summary>Simulates a schedule whose costs are known, with links of these rates.</summary>
    public static BaselinePrediction Of(Schedule schedule, ReadOnlySpan<OpCost> costs, LinkRates links)
    {
        var timeline = Simulator.Alone(schedule, costs, links);
        long end = 0;
        for (int i = 0; i < timeline.Ops.Length; i++)
        {
            if (schedule.Ops[i].Kind is OpKind.Save or OpKind.Update)
            {
                end = Math.Max(end, timeline.Ops[i].End);
            }
        }

        return new BaselinePrediction(schedule, timeline, end / 1e9);
    }
}
