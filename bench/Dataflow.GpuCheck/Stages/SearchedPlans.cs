using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.GpuCheck;

/// <summary>A plan of policy auto, and what of it only a search chooses.</summary>
internal sealed record SearchedPlan(string Traits, TrainingPlan Plan);

/// <summary>
/// Plans of policy auto in one geometry that differ in kind: those that a search takes or nearly takes at budgets from the least up. The
/// machine that they are for is always the same one: it decides which plans are found, not what they compute.
/// </summary>
internal static class SearchedPlans
{
    private const string Machine = "h100";
    private const int Budgets = 12;

    // A field shows in a plan only where there is something to choose: some pairs stay and some travel, a ring turns more than once.
    private static readonly (string Name, Func<Workload, Residency, bool> Shows)[] s_traits =
    [
        ("interleaved rounds", (w, r) => r.Interleaved && w.Geometry.Rounds > 1),
        ("spread residents", (w, r) =>
            r.ResidentsSpread && r.ResidentChunks > 0 && r.ResidentChunks < w.Model.LayerCount * w.Geometry.ChunksPerRound
        ),
        ("rotating gradients", (w, r) =>
            r.GradientsRotate && w.Geometry.Rounds > 1 && r.GradientSlots < w.Model.LayerCount - r.ResidentGradients
        ),
        ("two save sets", (_, r) => r.MoreSixteenths > 0 && r.TravellingMore != r.Travelling),
    ];

    /// <summary>Everything that some plan should show.</summary>
    public static IEnumerable<string> Traits => s_traits.Select(t => t.Name);

    /// <summary>Up to so many plans, each the one that shows most of what those before do not; no two show the same.</summary>
    /// <param name="request">With its geometry pinned; its budget is the largest.</param>
    public static IReadOnlyList<SearchedPlan> Of(PlanRequest request, int most)
    {
        var machine = Plans.CostsOn(HardwareFiles.All().Single(p => p.IsCalled(Machine)), request.Recipe);
        var search = new PlanSearch(request, machine);
        search.Prepare(request.Budget);
        long least = Planner.Smallest(request).Device!.Value.Value;
        var found = new Dictionary<string, (string[] Shown, MemoryBudget Budget, PlanChoice Choice)>();
        for (int i = 0; i < Budgets; i++)
        {
            var budget = request.Budget with
            {
                Device = new Bytes((long)(least * Math.Pow((double)request.Budget.Device.Value / least, (double)i / (Budgets - 1)))),
            };
            if (search.Find(budget) is SearchResult.Found result)
            {
                foreach (var (geometry, residency) in result.Others.Prepend(result.Best).Select(c => c.Choice))
                {
                    string[] traits =
                    [
                        .. s_traits
                            .Where(t => t.Shows(new Workload(request.Model, request.Recipe, geometry, request.Kind), residency))
                            .Select(t => t.Name),
                    ];
                    found.TryAdd(string.Join(", ", traits), (traits, budget, new PlanChoice(geometry, residency)));
                }
            }
        }

        var plans = new List<SearchedPlan>();
        var seen = new HashSet<string>();
        while (plans.Count < most && found.Values.Any(f => f.Shown.Length > 0))
        {
            var next = found.Values.MaxBy(f => (f.Shown.Count(t => !seen.Contains(t)), f.Shown.Length));
            string traits = string.Join(", ", next.Shown);
            found.Remove(traits);
            seen.UnionWith(next.Shown);
            plans.Add(
                new SearchedPlan(
                    traits,
                    Plans.Require(new PlanResult.Feasible(Planner.PlanFor(request with { Budget = next.Budget }, next.Choice, machine)))
                )
            );
        }

        return plans;
    }
}
