using System.Collections.Concurrent;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>Answers many requests on all cores, each search made once.</summary>
internal static class SimulationGroups
{
    /// <summary>
    /// Requests that differ in budgets alone share one search, which is let go with the last of them, and those of them that have the same
    /// plan share its simulation. Groups are answered side by side; where there are fewer of them than cores, so are the requests of a
    /// group.
    /// </summary>
    /// <param name="requests">What is to be simulated.</param>
    /// <param name="cache">What searches found before.</param>
    /// <param name="answered">Called once a request with its number, from several threads and in any order.</param>
    public static void Answer(IReadOnlyList<SimulationRequest> requests, PlanCache cache, Action<int, SimulationAnswer> answered)
    {
        int[][] groups =
        [
            .. requests
                .Select((request, i) => (Key: GroupOf(request) ?? $"{i}", i))
                .GroupBy(r => r.Key, (_, all) => all.Select(r => r.i).ToArray()),
        ];
        int cores = Environment.ProcessorCount;
        var within = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, cores / Math.Max(1, groups.Length)) };
        Parallel.ForEach(
            Partitioner.Create(groups, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = cores },
            group =>
            {
                if (group.Length == 1)
                {
                    answered(group[0], Alone(requests[group[0]], cache));
                    return;
                }

                Together([.. group.Select(i => requests[i])], cache, within, (i, answer) => answered(group[i], answer));
            }
        );
    }

    private static void Together(
        IReadOnlyList<SimulationRequest> group,
        PlanCache cache,
        ParallelOptions within,
        Action<int, SimulationAnswer> answered
    )
    {
        var budgets = group.Select(r => r.Budget).ToList();
        var largest = new MemoryBudget(budgets.Select(b => b.Host).Max(), budgets.Select(b => b.Device).Max());
        new BudgetSearch(group[0].ToPlan(), group[0].Hardware, cache, largest).PlanAll(
            budgets,
            within,
            (result, numbers) =>
            {
                var step = result is PlanResult.Feasible feasible ? SimulatedStep.Of(group[numbers[0]], feasible.Plan) : null;
                foreach (int i in numbers)
                {
                    answered(
                        i,
                        step is null
                            ? SimulationAnswer.Of(group[i], (PlanResult.Infeasible)result)
                            : new SimulationAnswer.Feasible(group[i], step)
                    );
                }
            },
            (i, why) => answered(i, new SimulationAnswer.Infeasible(group[i], why))
        );
    }

    /// <summary>What requests have in common that one search answers; null for a request that none does.</summary>
    private static string? GroupOf(SimulationRequest request)
    {
        try
        {
            return request.Policy == PlanPolicy.Auto ? PlanKey.OfSearch(request.ToPlan(), request.Hardware) : null;
        }
        catch (Exception e) when (e is UserErrorException or OverflowException)
        {
            return null; // its answer will say so
        }
    }

    /// <summary>A request that a policy refuses to look at is one without a plan: the others go on.</summary>
    private static SimulationAnswer Alone(SimulationRequest request, PlanCache cache)
    {
        try
        {
            return SimulationAnswer.Of(request, SimulationAnswer.SearchFor(request, cache));
        }
        catch (UserErrorException e)
        {
            return new SimulationAnswer.Infeasible(request, e.Message);
        }
    }
}
