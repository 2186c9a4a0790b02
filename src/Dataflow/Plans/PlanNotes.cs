using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>
/// What a plan's recipe costs, or what another one would give within the same budgets: what the user should know before a long run.
/// </summary>
/// <param name="MasterFits">Whether bf16-master fits too; null where that was not asked.</param>
/// <param name="Lines">A sentence each.</param>
public sealed record PlanNotes(bool? MasterFits, IReadOnlyList<string> Lines)
{
    /// <summary>Nothing to say.</summary>
    public static PlanNotes None { get; } = new(null, []);

    // bench/results/recipes.md has the measurement.
    private const string LosesUpdates =
        "bf16 is the benchmarks' recipe: it loses updates that are smaller than half a step of a bf16 weight, which are most of a "
            + "fine-tuning's (at a learning rate of 1e-6 "
        + "a step moves 1 to 2% of the weights, in fp32 all); --dtype bf16-sr keeps them on average, for 2 bytes a parameter more";

    private const string MasterToo =
        "bf16-master fits these budgets too (fp32 weights, moments and gradients): choose it with --dtype bf16-master";

    /// <summary>The notes of a plan that was asked for.</summary>
    public static PlanNotes Of(PlanQuestion question, PlanResult result)
    {
        if (result is not PlanResult.Feasible || question.GeometryIsFixed)
        {
            return None;
        }

        var recipe = question.Settings.Recipe;
        return recipe == Recipe.Bf16 ? new PlanNotes(null, [LosesUpdates])
            : recipe != Recipe.Bf16Stochastic ? None
            : Work.Named("looking at bf16-master", () => question.With(s => s with { Dtype = Recipe.Bf16Master }).Fits())
                ? new PlanNotes(true, [MasterToo])
                : new PlanNotes(false, []);
    }
}
