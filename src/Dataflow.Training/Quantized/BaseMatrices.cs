using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>A matrix of the base that is stored in a type of its own.</summary>
/// <param name="Object">The block that it is of.</param>
/// <param name="Owner">The object that holds it in a schedule.</param>
/// <param name="FirstElement">Of that object, in the block.</param>
/// <param name="Matrix">What and where it is in that object.</param>
public readonly record struct BaseMatrix(ParameterObject Object, ParameterOwner Owner, long FirstElement, StoredMatrix Matrix)
{
    /// <summary>What it is called in files of ours: "L05/Qkv/0".</summary>
    public string Name => $"{Object}/{Matrix.Tensor.Name}/{Matrix.Part}";

    /// <summary>What a checkpoint calls it, or its first tensor.</summary>
    public string CheckpointName => WeightNames.Name(Matrix.Tensor.Spec.Parts[Matrix.Part], Object);

    /// <summary>Its bytes, from the values of a source.</summary>
    internal byte[] StoreFrom(IWeightSource source)
    {
        var (from, start) = (Object, FirstElement + Matrix.FirstElement);
        return MatrixStorage.Store(
            Matrix,
            (first, values) =>
                source.Read(from, start + first, MemoryMarshal.AsBytes(values), DType.Float32));
    }
}

/// <summary>Those of a model whose base is stored in a type of its own (<see cref="ModelConfig.BaseWeights"/>).</summary>
internal static class BaseMatrices
{
    /// <summary>All of them, from the input on; none where the base is as the recipe says.</summary>
    public static IEnumerable<BaseMatrix> Of(ModelConfig model) => model.Layers.SelectMany(l => Of(model, l));

    /// <summary>Those of a block.</summary>
    public static IEnumerable<BaseMatrix> Of(ModelConfig model, Layer layer)
    {
        if (model.BaseWeights is not { } type)
        {
            yield break;
        }

        var weights = ParameterObject.Block(layer);
        foreach (var (part, index) in weights.Layout(model).Parts().Select((p, i) => (p, i)).Where(p => IsStored(p.p)))
        {
            foreach (var matrix in StoredMatrix.Of(part, type))
            {
                yield return new BaseMatrix(weights, new ParameterOwner(layer, Part: index), part.FirstElement, matrix);
            }
        }
    }

    /// <summary>The ranges of a parameter object that have elements in the recipe's type, or in one that a layer's kind says.</summary>
    public static IEnumerable<(long First, long Count)> RangesBeside(ModelConfig model, ParameterObject weights)
    {
        var layout = weights.Layout(model);
        return model.BaseWeights is null || weights.Kind != ParameterObjectKind.Block
            ? [(0, layout.ElementCount)]
            : layout.Parts().Where(p => !IsStored(p)).Select(p => (p.FirstElement, p.ElementCount));
    }

    private static bool IsStored(ParameterLayout part) => part.Tensors[0].Spec.Storage is not null;
}
