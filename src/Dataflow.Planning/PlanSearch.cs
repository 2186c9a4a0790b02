using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>What a plan is made from: how the step is cut, and what stays where. With model, recipe and kind it says the whole schedule.</summary>
public sealed record PlanChoice(Geometry Geometry, Residency Residency);

/// <summary>A choice that was simulated.</summary>
/// <param name="Device">Device memory that it takes, reserve included.</param>
/// <param name="Host">Host memory that it takes.</param>
/// <param name="StepNanoseconds">A step in the steady state of the loop.</param>
/// <param name="ComputeNanoseconds">Of these, the compute stream works.</param>
public sealed record PlanCandidate(PlanChoice Choice, Bytes Device, Bytes Host, long StepNanoseconds, long ComputeNanoseconds)
{
    /// <summary>Tokens a second.</summary>
    public double TokensPerSecond => Choice.Geometry.TokensPerStep * 1e9 / StepNanoseconds;
}

/// <summary>What a search found.</summary>
public abstract record SearchResult
{
    private SearchResult()
    {
    }

    /// <summary>The fastest of the candidates that fit.</summary>
    /// <param name="Others">Others that were simulated, fastest first.</param>
    public sealed record Found(PlanCandidate Best, ImmutableArray<PlanCandidate> Others) : SearchResult;

    /// <summary>None fits.</summary>
    public sealed record None(PlanResult.Infeasible Why) : SearchResult;
}

/// <summary>
/// Policy auto: the fastest plan on a machine. One object answers for one model, workload and machine at any number of budgets; what
/// it has simulated for one it knows for the next. The same request has the same answer on any machine and any number of cores.
/// </summary>
/// <param name="request">The request; its budget is ignored.</param>
/// <param name="machine">What kernels and copies take.</param>
public sealed class PlanSearch(PlanRequest request, CostModel machine)
{
    /// <summary>The fastest plan within a budget.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public SearchResult Find(MemoryBudget budget)
    {
        var wanted = request with { Budget = budget };
        var candidates = new PlanCandidates(wanted);
        if (candidates.Best(budget) is not { } best)
        {
            return new SearchResult.None(Refusal.Explain(wanted, candidates));
        }

        var plan = Planner.PlanFor(wanted, new PlanChoice(best.Workload.Geometry, best.Residency), machine);
        var costs = OpCosts.Of(plan.Schedule, plan.Workload, machine);
        var timeline = Simulator.Steady(plan.Schedule, costs, machine.Links);
        return new SearchResult.Found(
            new PlanCandidate(new PlanChoice(best.Workload.Geometry, best.Residency), plan.DevicePeak, plan.HostPeak, timeline.StepNanoseconds, costs.Where(c => c.Link < 0).Sum(c => c.Nanoseconds)), []);
    }
}
