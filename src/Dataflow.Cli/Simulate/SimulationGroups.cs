using System.Collections.Concurrent;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>Answers many requests on all cores, each search made once.</summary>
internal static class SimulationGroups
{
    /// <summary>
    /// Requests that differ in budgets alone share one search, which is let go with the last of them. Groups are answered side by side; where there are fewer
    /// of them than cores, so are the requests of a group.
    /// </summary>
    /// <param name="answered">Called once a request with its number, from several threads and in any order.</param>
    public static void Answer(IReadOnlyList<SimulationRequest> requests, PlanCache cache, Action<int, SimulationAnswer> answered)
    {
        int[][] groups = [.. requests.Select((request, i) => (Key: GroupOf(request) ?? $"{i}", i)).GroupBy(r => r.Key, (_, all) => all.Select(r => r.i).ToArray())];
        int cores = Environment.ProcessorCount;
        var within = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, cores / Math.Max(1, groups.Length)) };
        Parallel.ForEach(Partitioner.Create(groups, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = cores }, group =>
        {
            var search = new Lazy<BudgetSearch?>(() => SimulationAnswer.SearchFor(requests[group[0]], cache));
            Parallel.ForEach(Partitioner.Create(group, EnumerablePartitionerOptions.NoBuffering), within, i => answered(i, Answer(requests[i], search)));
        });
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
    private static SimulationAnswer Answer(SimulationRequest request, Lazy<BudgetSearch?> search)
    {
        try
        {
            return SimulationAnswer.Of(request, search.Value);
        }
        catch (UserErrorException e)
        {
            return new SimulationAnswer.Infeasible(request, e.Message);
        }
    }
}
