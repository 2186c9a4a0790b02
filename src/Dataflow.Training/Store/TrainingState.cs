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
    /// <summary>How far an average of the weights has come; null where the optimizer trains none.</summary>
    public WeightAverage? Average { get; init; }

    /// <summary>What is trained: the weights, or their average.</summary>
    public IWeightSource Trained => Averaged(Weights);

    /// <summary>What a run leaves behind: a moving average where one is kept, or what is trained, as precise as it is kept.</summary>
    public IWeightSource Finest
    {
        get
        {
            int moving = IndexOf(p => p.Name == StatePart.Average), master = IndexOf(p => p.IsMaster);
            return moving >= 0 ? Parts[moving] : Averaged(master < 0 ? Weights : Parts[master]);
        }
    }

    /// <summary>The numbers of a part of the optimizer's state, tensor by tensor as they lie in memory.</summary>
    /// <param name="index">Of the part.</param>
    public IEnumerable<(string Tensor, byte[] Values)> ValuesOf(int index)
    {
        var part = Optimizer.State(Recipe)[index];
        foreach (var tensor in new StateTensors(Model, Optimizer, Recipe, part).Bindings)
        {
            byte[] values = new byte[part.SizeOf(tensor.ElementCount).Value];
            Parts[index].Read(tensor.Object, tensor.ElementOffset, values, part.Type);
            yield return (tensor.Name, values);
        }
    }

    /// <summary>Whose weights they are.</summary>
    public ModelConfig Model => Weights.Model;

    private IWeightSource Averaged(IWeightSource read)
    {
        int walk = IndexOf(p => p.Name == StatePart.Walk), master = IndexOf(p => p.IsMaster);
        return Average is { Sum: > 0 } average && walk >= 0
            ? new AveragedWeights(master < 0 ? read : Parts[master], Parts[walk], average.Beta1)
            : read;
    }

    private int IndexOf(Func<StatePart, bool> condition)
    {
        var parts = Optimizer.State(Recipe);
        for (int i = 0; i < Math.Min(parts.Length, Parts.Count); i++)
        {
            if (condition(parts[i]))
            {
                return i;
            }
        }

        return -1;
    }
}
