using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>A tensor as checkpoints name it, and where its elements lie in our memory.</summary>
/// <param name="Name">Hugging Face name, with the layer's number.</param>
/// <param name="Object">The parameter object that holds it.</param>
/// <param name="Tensor">The weight that it is, or is part of.</param>
/// <param name="Part">Its elements of that weight.</param>
public sealed record WeightBinding(string Name, ParameterObject Object, WeightTensor Tensor, WeightPart Part)
{
    /// <summary>In the checkpoint: [out, in] of a matrix, [n] of a vector.</summary>
    public IReadOnlyList<long> Shape => Part.Shape;

    /// <summary>Of its first element, counted in elements from the object's start.</summary>
    public long ElementOffset => Tensor.ElementOffset + Part.FirstElement;

    /// <summary>Number of elements; they are contiguous.</summary>
    public long ElementCount => Part.ElementCount;
}

/// <summary>The tensors that a checkpoint of a model holds.</summary>
public static class WeightNames
{
    /// <summary>All of them: the embedding, the blocks from the input on, the head; within an object in memory order.</summary>
    public static IReadOnlyList<WeightBinding> Enumerate(ModelConfig model)
    {
        var layouts = new ObjectLayouts(model);
        return
        [
            .. ParameterObject
                .All(model)
                .SelectMany(o =>
                    from tensor in layouts[o].Tensors
                    from part in tensor.Spec.Parts
                    select new WeightBinding(Name(part, o), o, tensor, part)
                ),
        ];
    }

    /// <summary>The checkpoint's name of a part in one object.</summary>
    internal static string Name(WeightPart part, ParameterObject weights) =>
        part.CheckpointName.Replace("{layer}", weights.Layer.Index.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
