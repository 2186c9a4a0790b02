using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Baseline;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>
/// A published row beside what policies reference and auto are predicted to reach in its memory, with as many tokens a step.
/// </summary>
/// <param name="Reference">Predicted tokens a second of policy reference; 0 where it has no plan.</param>
/// <param name="Auto">The same of policy auto; null where it has no plan.</param>
internal sealed record SearchedRow(PublishedRow Row, MemoryBudget Budget, double Reference, PlanCandidate? Auto)
{
    /// <summary>Tokens a second of policy auto; 0 where it has no plan.</summary>
    public double Rate => Auto?.TokensPerSecond ?? 0;

    /// <summary>How much faster than reference: 0.05 is 5%.</summary>
    public double Gain => (Rate / Reference) - 1;

    /// <summary>All rows of one machine, model and length, which share a search.</summary>
    public static IReadOnlyList<SearchedRow> OfGroup(IReadOnlyList<PublishedRow> rows, ModelConfig model, HardwareProfile profile)
    {
        var machine = new CostModel(profile, DType.BFloat16);
        var plans = rows.Select(r => (Row: r, Plan: (BaselinePlanner.Plan(r.Request(model)) as BaselineResult.Feasible)?.Plan)).ToList();
        int seqlen = rows[0].Request(model).Seqlen;

        // As many tokens a step as the published runs had, which is the same in all of a group; where none ran, what hides the update.
        int batch = plans.Select(p => p.Plan?.SequencesPerStep).FirstOrDefault(s => s is not null)
            ?? GlobalBatchRule.Rows(model, Recipe.Bf16, Optimizer.AdamW, seqlen, profile);
        var budgets = rows.Select(r => r.Request(model).Budget).ToList();
        var largest = new MemoryBudget(budgets.Select(b => b.Host).Max(), budgets.Select(b => b.Device).Max());
        var request = new PlanRequest(model, Recipe.Bf16, WorkloadKind.Training, seqlen, batch, new GeometryPins(), largest)
        {
            Reserve = profile.Reserve,
        };
        var search = new PlanSearch(request, machine);
        search.Prepare(largest);
        return
        [
            .. plans.Select((p, i) => new SearchedRow(
                p.Row, budgets[i],
                p.Plan is { } plan ? plan.ThroughputAt(BaselinePrediction.Of(plan, machine).StepSeconds).TokensPerSecond : 0,
                (search.Find(budgets[i]) as SearchResult.Found)?.Best)),
        ];
    }
}
