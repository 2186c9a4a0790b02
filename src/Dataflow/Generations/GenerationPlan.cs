using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>How sequences would be continued, planned and predicted without weights and without a device.</summary>
/// <param name="Plan">Of a step.</param>
/// <param name="Batch">Sequences side by side.</param>
/// <param name="Budgets">The budgets, and how they came about.</param>
/// <param name="Prediction">What the simulator says; null where there is no profile of the machine.</param>
public sealed record GenerationPlan(TrainingPlan Plan, int Batch, Budgets Budgets, GenerationPrediction? Prediction)
{
    /// <summary>Plans for a model by name, config or folder.</summary>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static GenerationPlan Make(GenerationOptions options)
    {
        var wanted = options.Plan.Completed;
        using var source = ModelSource.Open(wanted.Model).With(wanted.Adapter).Storing(wanted.Base);
        var budgets = Budgets.Choose(wanted);
        var (plan, batch) = GenerationModel.PlanFor(
            wanted.Request(source.Model, WorkloadKind.Generation, budgets.Memory), wanted.Seqlen, options.Batch, options.LogitRows);
        var machine = wanted.Hardware ?? HardwareFiles.ThisMachine(wanted.Device.Kind, named: null);
        return new GenerationPlan(
            plan, batch, budgets, machine is null ? null : GenerationPrediction.Of(plan, machine, batch, wanted.Seqlen));
    }
}
