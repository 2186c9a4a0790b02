using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cli;

/// <summary>Plans that may run.</summary>
internal static class Plans
{
    private const int MostListed = 3;

    /// <summary>The plan, proved.</summary>
    /// <exception cref="InfeasibleException">None fits.</exception>
    /// <exception cref="FailedException">The verifier refuses it.</exception>
    public static TrainingPlan Require(PlanResult result)
    {
        if (result is PlanResult.Infeasible infeasible)
        {
            throw new InfeasibleException(infeasible.Reason);
        }

        var plan = ((PlanResult.Feasible)result).Plan;
        var errors = Startup.Show("verifying the schedule", () => Verify(plan.Schedule, plan.ArenaBudgets[0], plan.ArenaBudgets[1]));
        return errors.Count == 0 ? plan : throw new FailedException(
            $"the plan has {errors.Count} errors and will not run: {string.Join("; ", errors.Take(MostListed).Select(e => $"[{e.Rule}] {e.Message}"))}");
    }

    /// <summary>Plans, with a word to a terminal that waits.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public static PlanResult Make(PlanRequest request)
    {
        try
        {
            return Startup.Show("planning", () => Planner.Plan(request));
        }
        catch (OverflowException)
        {
            throw new UserErrorException("seqlen, chunks and rounds of this size take more memory than can be counted; give smaller ones");
        }
    }

    /// <summary>All errors of a schedule. A budget that is null is not checked.</summary>
    public static IReadOnlyList<ScheduleError> Verify(Schedule schedule, Bytes? device, Bytes? host) => ScheduleVerifier.Verify(
        schedule, [.. schedule.Arenas.Select(a => (a.Name switch { "device" => device, "host" => host, _ => null }) ?? a.Length)]);
}
