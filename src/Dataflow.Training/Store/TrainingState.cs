using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// All that a run would lose if it stopped, by weight: wherever it is. The arenas between two steps, a copy of them that is being written
/// while training goes on, or a checkpoint that is being loaded.
/// </summary>
/// <param name="Recipe">Says of which types the numbers are and whether there are master weights.</param>
/// <param name="Optimizer">Says what there is besides the weights.</param>
/// <param name="Weights">As the kernels read them.</param>
/// <param name="Parts">What the optimizer keeps, in the order of its parts; master weights last, where the recipe has them.</param>
public sealed record TrainingState(Recipe Recipe, Optimizer Optimizer, IWeightSource Weights, IReadOnlyList<IWeightSource> Parts)
{
    /// <summary>Whose weights they are.</summary>
    public ModelConfig Model => Weights.Model;
}
