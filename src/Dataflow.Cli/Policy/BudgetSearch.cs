using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow.Cli;

/// <summary>
/// Policy auto for requests that differ in their budgets alone: one search behind a cache, begun when the cache does not know an answer. It may be asked
/// from several threads.
/// </summary>
/// <param name="request">The request; its budget is ignored.</param>
/// <param name="machine">The machine that the plan is made for.</param>
/// <param name="cache">What was found before.</param>
internal sealed class BudgetSearch(PlanRequest request, HardwareProfile machine, PlanCache cache)
{
    private readonly CostModel costs = Plans.CostsOn(machine, request.Recipe);
    private readonly Lazy<PlanSearch> search = new(() => new PlanSearch(request, Plans.CostsOn(machine, request.Recipe)));

    /// <summary>The fastest plan within the budget, searched for unless the cache knows it.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public PlanResult Plan(MemoryBudget budget)
    {
        var wanted = request with { Budget = budget };
        string key = PlanKey.Of(wanted, machine);
        return Known(wanted, key) is { } known ? new PlanResult.Feasible(known) : Lower(wanted, key, Find(budget));
    }

    /// <summary>The same, with what the search said of it.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public (PlanResult Result, SearchResult.Found? Found) Search(MemoryBudget budget)
    {
        var wanted = request with { Budget = budget };
        var found = Find(budget);
        return (Lower(wanted, PlanKey.Of(wanted, machine), found), found as SearchResult.Found);
    }

    /// <summary>What the search says.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public SearchResult Find(MemoryBudget budget) => search.Value.Find(budget);

    private PlanResult Lower(PlanRequest wanted, string key, SearchResult result)
    {
        if (result is SearchResult.None none)
        {
            return none.Why;
        }

        var choice = ((SearchResult.Found)result).Best.Choice;
        var plan = Planner.PlanFor(wanted, choice, costs);
        cache.Write(key, new CachedChoice(choice, plan.Hash));
        return new PlanResult.Feasible(plan);
    }

    /// <summary>The plan of what the cache holds; null if that is nothing, or not what was put there.</summary>
    private TrainingPlan? Known(PlanRequest wanted, string key)
    {
        if (cache.Read(key) is not { } known)
        {
            return null;
        }

        try
        {
            var plan = Planner.PlanFor(wanted, known.Choice, costs);
            return plan.Hash == known.Hash ? plan : null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return null; // whatever it is, no search made it
        }
    }
}
