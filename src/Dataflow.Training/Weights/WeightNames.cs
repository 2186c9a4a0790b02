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
    /// <summary>In the checkpoint: [out, in] of a matrix, or [in, out] of one that is stored so; [n] of a vector.</summary>
    public IReadOnlyList<long> Shape => Part.Shape;

    /// <summary>Of its first element, counted in elements from the object's start.</summary>
    public long ElementOffset => Tensor.ElementOffset + Part.FirstElement;

    /// <summary>Number of elements; in memory they are contiguous, their rows in the order of <see cref="WeightPart.Order"/>.</summary>
    public long ElementCount => Part.ElementCount;

    /// <summary>Fills with elements as the checkpoint has them.</summary>
    /// <param name="source">Of a model that has the tensor.</param>
    /// <param name="first">Of the checkpoint's tensor.</param>
    /// <param name="destination">Whole elements of <paramref name="type"/>.</param>
    /// <param name="type">fp32 or bf16.</param>
    public void Read(IWeightSource source, long first, Span<byte> destination, DType type) =>
        RowGather.ToCheckpoint(
            Part, first, destination, (int)type.Size(), (from, run) => source.Read(Object, ElementOffset + from, run, type));
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
