using System.Collections.Concurrent;
using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// What a plan is made from: how the step is cut, and what stays where. With model, recipe and kind it says the whole schedule.
/// </summary>
public sealed record PlanChoice(Geometry Geometry, Residency Residency);

/// <summary>A choice that was simulated.</summary>
/// <param name="Choice">Geometry and residency.</param>
/// <param name="Device">Device memory that it takes, reserve included.</param>
/// <param name="Host">Host memory that it takes, at most.</param>
/// <param name="StepNanoseconds">A step in the steady state of the loop.</param>
/// <param name="ComputeNanoseconds">Of these, the compute stream works.</param>
/// <param name="GeometryFloorNanoseconds">What a step of its geometry computes at least, whatever the plan: everything is kept, nothing
/// waits.</param>
public sealed record PlanCandidate(
    PlanChoice Choice,
    Bytes Device,
    Bytes Host,
    long StepNanoseconds,
    long ComputeNanoseconds,
    long GeometryFloorNanoseconds
)
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
    /// <param name="Best">The fastest.</param>
    /// <param name="Others">Others that were simulated, fastest first.</param>
    public sealed record Found(PlanCandidate Best, ImmutableArray<PlanCandidate> Others) : SearchResult;

    /// <summary>None fits.</summary>
    public sealed record None(PlanResult.Infeasible Why) : SearchResult;
}

/// <summary>
/// Policy auto: the fastest plan on a machine. One object answers for one model, workload and machine at any number of budgets; what
/// it has simulated for one it knows for the next. The same request has the same answer on any machine and any number of cores.
///
/// In two steps. A shortlist is drawn up without regard to the budget: for every pair of <see cref="BudgetLevels"/> the plan that the
/// estimate likes best. A budget then has the fastest, as simulated, of all on the list that it has room for. More memory has room for more
/// of them: so it never makes a plan slower, whatever the estimate is worth. What cannot beat the fastest one so far, by its bound, is not
/// simulated.
/// </summary>
public sealed class PlanSearch
{
    // Simulated side by side; fixed, so that what is simulated does not depend on the number of cores.
    private const int Batch = 4;

    // No plan was found to be faster than its estimate by as much: those beyond are left out although their bound, which knows nothing of
    // waiting, would let them in. They are the ones of many small chunks, which take longest to simulate.
    private const double FarOff = 1.2;
    private readonly PlanRequest request;
    private readonly CostModel machine;
    private readonly List<PlanFamily> families;
    private readonly ConcurrentDictionary<(int Family, int Index), Lazy<PlanCandidate>> simulated = new();
    private Shortlist? shortlist;
    private PlanLimits? limits;

    /// <param name="request">The request; its budget is ignored.</param>
    /// <param name="machine">What kernels and copies take.</param>
    /// <exception cref="UserErrorException">The request contradicts itself.</exception>
    public PlanSearch(PlanRequest request, CostModel machine)
    {
        (this.request, this.machine) = (request, machine);
        families = SearchSpace.Of(request, machine);
    }

    /// <summary>Plans simulated so far.</summary>
    public int Simulated => simulated.Count;

    /// <summary>The fastest plan within a budget. May be asked from several threads.</summary>
    public SearchResult Find(MemoryBudget budget)
    {
        var entries = ShortlistFor(budget).Within(budget);
        if (entries.Count == 0)
        {
            return Last(budget);
        }

        var found = new List<PlanCandidate>();
        long best = long.MaxValue;
        int at = 0;
        while (at < entries.Count)
        {
            var batch = new List<ShortlistEntry>();
            for (; at < entries.Count && batch.Count < Batch; at++)
            {
                if (entries[at].Bound <= best && entries[at].Estimate / FarOff <= best)
                {
                    batch.Add(entries[at]);
                }
            }

            var results = new PlanCandidate[batch.Count];
            Parallel.For(0, batch.Count, i => results[i] = Simulate(batch[i]));
            foreach (var result in results)
            {
                best = Math.Min(best, result.StepNanoseconds);
                found.Add(result);
            }
        }

        var ordered = found.OrderBy(c => c.StepNanoseconds).ThenBy(c => c.Device).ThenBy(c => c.Host).ToList();
        return new SearchResult.Found(ordered[0], [.. ordered.Skip(1)]);
    }

    /// <summary>Draws up the list for all budgets up to one at once, where many are to follow.</summary>
    public void Prepare(MemoryBudget largest) => ShortlistFor(largest);

    private Shortlist ShortlistFor(MemoryBudget budget)
    {
        lock (families)
        {
            return shortlist is { } known && known.Covers(budget) ? known : shortlist = Shortlist.Of(families, request.Reserve, budget);
        }
    }

    private PlanCandidate Simulate(ShortlistEntry entry) =>
        simulated.GetOrAdd((entry.Family, entry.Index), key => new Lazy<PlanCandidate>(() =>
        {
            var family = families[key.Family];
            return Simulate(family.Geometry, family[key.Index], new Footprint(entry.Device, entry.Host));
        })).Value;

    private PlanCandidate Simulate(SearchGeometry geometry, Residency residency, Footprint memory)
    {
        var (step, compute) = StepSimulation.Of(geometry.Workload, residency, machine);
        return new PlanCandidate(
            new PlanChoice(geometry.Workload.Geometry, residency),
            memory.Device,
            memory.Host,
            step,
            compute,
            (long)geometry.Estimate.Floor
        );
    }

    /// <summary>
    /// Between the least budget that works at all and the first level above it: what the simple rules would do; where they have nothing,
    /// what the estimate likes best.
    /// </summary>
    private SearchResult Last(MemoryBudget budget)
    {
        var wanted = request with { Budget = budget };
        var candidates = new PlanCandidates(wanted);
        if (candidates.Best(budget) is var (workload, _, residency))
        {
            var rules = new SearchGeometry(workload, machine);
            return new SearchResult.Found(Simulate(rules, residency, Physical(rules.Sizes.Of(residency))), []);
        }

        ShortlistEntry? least = null;
        lock (families)
        {
            for (int i = 0; i < families.Count; i++)
            {
                if (families[i].LastWithin(budget, request.Reserve) is >= 0 and var index)
                {
                    var memory = Physical(families[i].FootprintAt(index));
                    var entry = new ShortlistEntry(
                        i,
                        index,
                        memory.Device,
                        memory.Host,
                        families[i].Geometry.Estimate.Of(families[i][index]).Nanoseconds,
                        0
                    );
                    least = least is { } known && known.Precedes(entry) ? known : entry;
                }
            }

            if (least is null)
            {
                limits ??= candidates.Limits.And(families);
                return new SearchResult.None(Refusal.Explain(wanted, limits));
            }
        }

        return new SearchResult.Found(Simulate(least.Value), []);
    }

    private Footprint Physical(Footprint arenas) => arenas with { Device = arenas.Device + request.Reserve.For(arenas.Host) };
}
