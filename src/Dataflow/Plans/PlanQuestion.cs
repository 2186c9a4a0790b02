using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>A question to a planner, and what was found on the way to it.</summary>
/// <param name="Question">What is asked.</param>
/// <param name="Budgets">The budgets, and how they came about.</param>
/// <param name="Notes">What is to be known about the model and sequences of this length, a sentence each.</param>
public sealed record PlanAsked(PlanQuestion Question, Budgets Budgets, IReadOnlyList<string> Notes);

/// <summary>A plan that is asked for, with all that it depends on, so that the user's other choices can be asked for too.</summary>
/// <param name="Settings">What the user chose.</param>
/// <param name="Model">What is trained.</param>
/// <param name="Budget">Device and host memory that the plan may take.</param>
/// <param name="By">Who plans.</param>
/// <param name="SourceRows">Rows that the data has, if there is data.</param>
/// <param name="GeometryIsFixed">The run goes on with a saved one: results depend on its geometry and recipe, and neither can
/// change.</param>
public sealed record PlanQuestion(
    PlanOptions Settings, ModelConfig Model, MemoryBudget Budget, PolicySettings By, int? SourceRows = null, bool GeometryIsFixed = false)
{
    /// <summary>As the planner takes it.</summary>
    /// <exception cref="UserErrorException">The step is no whole number of rows.</exception>
    public PlanRequest Request => Settings.Request(Model, Settings.Kind, Budget, SourceRows);

    /// <summary>The budgets that its policy can do with.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public PlanLimits Limits() => Plans.Counted(() => By.Policy == PlanPolicy.Auto
        ? PlanLimits.OfSearch(Request, Plans.CostsOn(By.Machine!, Settings.Recipe))
        : PlanLimits.OfRules(Request));

    /// <summary>Whether there is a plan; none where the request contradicts itself.</summary>
    public bool Fits()
    {
        try
        {
            return Limits().Fits(Budget);
        }
        catch (UserErrorException)
        {
            return false;
        }
    }

    /// <summary>The same question with other settings.</summary>
    public PlanQuestion With(Func<PlanOptions, PlanOptions> change) => this with { Settings = change(Settings) };
}
