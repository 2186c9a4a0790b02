using System.Collections.Concurrent;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>
/// Policy auto for requests that differ in their budgets alone: one search behind a cache, begun when the cache does not know an answer. It
/// may be asked from several threads.
/// </summary>
/// <param name="request">The request; its budget is ignored.</param>
/// <param name="machine">The machine that the plan is made for.</param>
/// <param name="cache">What was found before.</param>
/// <param name="largest">Where many budgets will be asked for: the largest of each memory, so that the search's list is drawn up
/// once.</param>
public sealed class BudgetSearch(PlanRequest request, HardwareProfile machine, PlanCache cache, MemoryBudget? largest = null)
{
    private readonly CostModel costs = Plans.CostsOn(machine, request.Recipe);
    private readonly Lazy<PlanSearch> search = new(() =>
    {
        var made = new PlanSearch(request, Plans.CostsOn(machine, request.Recipe));
        if (largest is { } budget)
        {
            made.Prepare(budget);
        }

        return made;
    });

    /// <summary>The fastest plan within the budget, searched for unless the cache knows it.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public PlanResult Plan(MemoryBudget budget) =>
        Known(budget) is { } known && Lower(known, budget) is { } plan ? new PlanResult.Feasible(plan) : Kept(Find(budget), budget);

    /// <summary>The same, with what the search said of it.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public (PlanResult Result, SearchResult.Found? Found) Search(MemoryBudget budget)
    {
        var found = Find(budget);
        return (Kept(found, budget), found as SearchResult.Found);
    }

    /// <summary>Plans for many budgets: what they have in common is lowered once.</summary>
    /// <param name="budgets">Device and host memory of each plan.</param>
    /// <param name="parallel">How many side by side.</param>
    /// <param name="planned">Called once a plan with the numbers of the budgets that it is for, from several threads and in any order; the
    /// plan's own budget is that of the first.</param>
    /// <param name="refused">Called with the number of a budget for which the request contradicts itself, and with what is wrong.</param>
    public void PlanAll(
        IReadOnlyList<MemoryBudget> budgets,
        ParallelOptions parallel,
        Action<PlanResult, IReadOnlyList<int>> planned,
        Action<int, string> refused
    )
    {
        var choices = new CachedChoice?[budgets.Count];
        Parallel.ForEach(Partitioner.Create(Enumerable.Range(0, budgets.Count), EnumerablePartitionerOptions.NoBuffering), parallel, i =>
        {
            choices[i] = Known(budgets[i]);
            if (choices[i] is not null)
            {
                return;
            }

            SearchResult result;
            try
            {
                result = Plans.Counted(() => Find(budgets[i]));
            }
            catch (UserErrorException e)
            {
                refused(i, e.Message);
                return;
            }

            if (result is SearchResult.Found found)
            {
                choices[i] = new CachedChoice(found.Best.Choice, Hash: null);
            }
            else
            {
                planned(((SearchResult.None)result).Why, [i]);
            }
        });
        var same = Enumerable.Range(0, budgets.Count).Where(i => choices[i] is not null).GroupBy(i => choices[i]!);
        Parallel.ForEach(Partitioner.Create(same, EnumerablePartitionerOptions.NoBuffering), parallel, group =>
        {
            int[] numbers = [.. group];
            if (Lower(group.Key, budgets[numbers[0]]) is not { } plan)
            {
                foreach (int i in numbers)
                {
                    planned(Kept(Find(budgets[i]), budgets[i]), [i]);
                }

                return;
            }

            foreach (int i in group.Key.Hash is null ? numbers : [])
            {
                Keep(plan, budgets[i]);
            }

            planned(new PlanResult.Feasible(plan), numbers);
        });
    }

    /// <summary>What the search says.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public SearchResult Find(MemoryBudget budget) => search.Value.Find(budget);

    private CachedChoice? Known(MemoryBudget budget) => cache.Read(KeyOf(budget));

    private PlanResult Kept(SearchResult result, MemoryBudget budget)
    {
        if (result is SearchResult.None none)
        {
            return none.Why;
        }

        var plan = Planner.PlanFor(request with { Budget = budget }, ((SearchResult.Found)result).Best.Choice, costs);
        Keep(plan, budget);
        return new PlanResult.Feasible(plan);
    }

    private void Keep(TrainingPlan plan, MemoryBudget budget) =>
        cache.Write(KeyOf(budget), new CachedChoice(new PlanChoice(plan.Workload.Geometry, plan.Residency), plan.Hash));

    private string KeyOf(MemoryBudget budget) => PlanKey.Of(request with { Budget = budget }, machine);

    /// <summary>The plan of a choice; null if what the cache held is not what was put there.</summary>
    private TrainingPlan? Lower(CachedChoice chosen, MemoryBudget budget)
    {
        try
        {
            var plan = Planner.PlanFor(request with { Budget = budget }, chosen.Choice, costs);
            return chosen.Hash is null || plan.Hash == chosen.Hash ? plan : null;
        }
        catch (Exception e) when (chosen.Hash is not null && e is not OutOfMemoryException)
        {
            return null; // whatever it is, no search made it
        }
    }
}
