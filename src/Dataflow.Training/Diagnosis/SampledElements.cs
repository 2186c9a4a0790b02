using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Training;

/// <summary>
/// The elements of tensors that are looked at in place of all: spread evenly over each tensor, the same ones every time, all of a tensor of
/// up to 8,192, that many of others.
/// </summary>
internal static class SampledElements
{
    /// <summary>Elements that lie together.</summary>
    public const int RunLength = 512;

    private const int MostRuns = 16;

    /// <summary>Consecutive elements of a tensor.</summary>
    /// <param name="First">The first of them, counted from the tensor's own.</param>
    /// <param name="Count">How many.</param>
    /// <param name="Share">How many of the tensor's elements each of them stands for.</param>
    public readonly record struct Run(long First, int Count, double Share);

    /// <summary>Those of a tensor.</summary>
    public static IEnumerable<Run> Of(WeightTensor tensor)
    {
        int count = (int)Math.Min(MostRuns, (tensor.Count + RunLength - 1) / RunLength);
        int length = (int)Math.Min(RunLength, tensor.Count);
        double share = (double)tensor.Count / Math.Min(tensor.Count, (long)count * length);
        for (int i = 0; i < count; i++)
        {
            // All of a small tensor, one run after the other; the first and the last elements of a large one, and those between.
            long first = tensor.Count <= MostRuns * RunLength ? (long)i * RunLength : (tensor.Count - length) * i / (MostRuns - 1);
            yield return new Run(first, (int)Math.Min(length, tensor.Count - first), share);
        }
    }

    /// <summary>The group of weights that an object is: "embedding", "layer 3" (from 0), "head".</summary>
    public static string GroupOf(ParameterObject weights) =>
        weights.Kind == ParameterObjectKind.Block ? $"layer {weights.Layer.Index}" : weights.ToString();

    /// <summary>The group that gradients are of.</summary>
    public static string GroupOf(ParameterOwner owner) => GroupOf(
        owner.Layer is { } layer ? ParameterObject.Block(layer) : owner.IsHead ? ParameterObject.Head : ParameterObject.Embedding);
}
