using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// Rounds of a step: max(1, round(target / time of a round)), a round's time from the model's FLOPs. The target of the last rule makes
/// the inbound optimizer state (L * 2B) 2% of a step. Some of the sweeps were recorded before it, with a fixed target:
/// 6 s for the 1B model and eight times that for the 8B model.
/// </summary>
public static class StepLength
{
    private const double FixedSecondsPerSizeClass = 6;
    private const double OverheadTarget = 0.02;

    /// <summary>Whole billions of parameters: what the published sweeps call models by.</summary>
    public static int SizeClass(ModelConfig model) => (int)(model.ParameterCount / 1_000_000_000);

    internal static int Rounds(BaselineRequest request, Chunking chunking)
    {
        var (model, machine) = (request.Model, request.Machine);
        double target = machine.FixedStepModels.Contains(SizeClass(model))
            ? FixedSecondsPerSizeClass * SizeClass(model)
            : (2 * BlockSizes.Of(model).Block * model.LayerCount).Value / machine.PlannedLink / OverheadTarget;
        double round = model.ModelFlops(request.Seqlen) * chunking.SequencesPerRound / machine.PlannedFlopsPerSecond;
        return checked((int)Math.Max(1, Math.Round(target / round, MidpointRounding.AwayFromZero)));
    }
}
