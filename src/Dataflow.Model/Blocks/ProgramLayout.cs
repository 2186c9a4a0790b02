using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>Gives every tensor that a list of calls names its place.</summary>
/// <param name="shapes">Of the tensors.</param>
/// <param name="weight">Where a weight is, or its gradient; what its dense copy is like, or what is of its adapter.</param>
internal sealed class ProgramLayout(TensorShapes shapes, Func<Operand, ImmutableArray<KernelCall>, int, TensorPlace> weight)
{
    /// <summary>A program.</summary>
    /// <param name="calls">What it runs.</param>
    /// <param name="lifetimes">All calls that share its scratch, in order.</param>
    /// <param name="saved">Offsets of the tensors that are kept with the activations.</param>
    /// <param name="rows">Of the vocabulary, where the program's block has them.</param>
    public BlockProgram Lay(
        ImmutableArray<KernelCall> calls,
        ImmutableArray<KernelCall> lifetimes,
        ImmutableDictionary<TensorName, Bytes> saved,
        int rows = 0
    )
    {
        var sizes = lifetimes
            .SelectMany(c => c.Operands)
            .Distinct()
            .Where(o => !saved.ContainsKey(o.Tensor) && !IsWeight(o.Tensor))
            .Select(o => (o.Tensor, Place: PlaceOf(o.Unsliced())))
            .Where(o => o.Place.Role == Roles.Scratch)
            .GroupBy(o => o.Tensor, o => o.Place.Size)
            .ToDictionary(t => t.Key, t => t.Aggregate(Bytes.Max));
        var (scratch, length) = ScratchLayout.Of(lifetimes, sizes);
        var places = ImmutableDictionary.CreateBuilder<Operand, TensorPlace>();
        foreach (var operand in calls.SelectMany(c => c.Operands).Distinct())
        {
            var whole = operand.Tensor switch
            {
                var t when IsWeight(t) => weight(operand, calls, rows),
                var t when saved.TryGetValue(t, out var offset) => PlaceOf(operand) with { Role = Roles.Activations, Offset = offset },
                var t when scratch.TryGetValue(t, out var offset) => PlaceOf(operand) with { Offset = offset },
                _ => PlaceOf(operand),
            };
            places[operand] = whole.Of(operand.Slice);
        }

        return new BlockProgram(calls, places.ToImmutable(), length);

        TensorPlace PlaceOf(Operand operand) =>
            IsOfWeight(operand.Tensor) ? weight(operand, calls, rows) : shapes.Of(operand.Tensor, rows);
    }

    /// <summary>It is as large as a weight says.</summary>
    private static bool IsOfWeight(TensorName tensor) =>
        tensor is TensorName.DenseWeight or TensorName.LowRank or TensorName.GradLowRank or TensorName.DoraScales
            or TensorName.Dropped;

    private static bool IsWeight(TensorName tensor) => tensor is TensorName.Weight or TensorName.WeightGradient;
}
