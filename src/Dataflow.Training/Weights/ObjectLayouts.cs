using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The layouts of a model's parameter objects, each made once.</summary>
internal sealed class ObjectLayouts(ModelConfig model)
{
    private readonly ParameterLayout embedding = ParameterLayout.Embedding(model);
    private readonly ParameterLayout head = ParameterLayout.Head(model);
    private readonly Dictionary<LayerKind, ParameterLayout> blocks = model
        .Kinds.Distinct()
        .ToDictionary(k => k, k => ParameterLayout.Block(model, k));

    /// <summary>Of an object.</summary>
    public ParameterLayout this[ParameterObject weights] =>
        weights.Kind switch
        {
            ParameterObjectKind.Embedding => embedding,
            ParameterObjectKind.Head => head,
            _ => blocks[model.KindOf(weights.Layer)],
        };
}
