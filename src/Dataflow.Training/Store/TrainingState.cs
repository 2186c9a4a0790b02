using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// All that a run would lose if it stopped, by weight: wherever it is. The arenas between two steps, a copy of them that is being written
/// while training goes on, or a checkpoint that is being loaded.
/// </summary>
/// <param name="Recipe">Says of which types the numbers are and whether there are master weights.</param>
/// <param name="Weights">As the kernels read them.</param>
/// <param name="FirstMoments">AdamW's.</param>
/// <param name="SecondMoments">AdamW's.</param>
/// <param name="MasterWeights">Where the recipe has them, else null.</param>
public sealed record TrainingState(
    Recipe Recipe, IWeightSource Weights, IWeightSource FirstMoments, IWeightSource SecondMoments, IWeightSource? MasterWeights = null)
{
    /// <summary>Whose weights they are.</summary>
    public ModelConfig Model => Weights.Model;

    /// <summary>The part that a file of a checkpoint holds.</summary>
    internal IWeightSource Of(CheckpointPart part) => part switch
    {
        CheckpointPart.Weights => Weights,
        CheckpointPart.FirstMoments => FirstMoments,
        CheckpointPart.SecondMoments => SecondMoments,
        _ => MasterWeights ?? throw new InvalidOperationException($"{Recipe.Name} has master weights, and the state has none"),
    };
}
