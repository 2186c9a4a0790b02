using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// A model whose heads are wide enough for cuDNN and whose results are those of one with narrow heads: elements that are zero in queries,
/// keys and values stand behind each head's own. What is rotated and what scores are multiplied by stay. A norm of queries and keys divides
/// by a root over all elements of a head, so that either grows by the root of how much wider it is, which the scale takes back; that norms
/// have an epsilon is all that differs, and that some take a mean away (<see cref="IsExact"/>).
/// </summary>
/// <param name="narrow">As it was made.</param>
public sealed class WidenedHeads(ModelConfig narrow)
{
    private const int Least = 64;

    /// <summary>The wide one.</summary>
    public ModelConfig Model { get; } = Widen(narrow);

    /// <summary>Its results are those of the narrow one.</summary>
    public bool IsExact => narrow is not { QkNorm: true, QkNormKind: QkNormKind.HeadsCentred };

    /// <summary>Its weights.</summary>
    public IWeightSource Weights(IWeightSource weights)
    {
        var wide = WeightNames.Enumerate(Model).ToDictionary(b => b.Name);
        var values = GoldenCase.Tensors(weights);
        var widened = WeightNames.Enumerate(narrow).ToDictionary(b => b.Name, b =>
        {
            var to = new float[wide[b.Name].ElementCount];
            foreach (var (at, from) in Places(b, wide[b.Name]))
            {
                to[at] = values[b.Name][from];
            }

            return to;
        });
        return new NamedWeights(Model, NamedWeights.InMemory(Model, widened));
    }

    /// <summary>Of gradients of the wide model, by their names, those of the narrow one.</summary>
    /// <param name="wide">By their names in checkpoints.</param>
    /// <param name="others">The most that the others are, which are those of zeros.</param>
    public Dictionary<string, float[]> Narrowed(IReadOnlyDictionary<string, float[]> wide, out float others)
    {
        var bindings = WeightNames.Enumerate(Model).ToDictionary(b => b.Name);
        float most = 0;
        var narrowed = WeightNames.Enumerate(narrow).ToDictionary(b => b.Name, b =>
        {
            float[] from = [.. wide[b.Name]], to = new float[b.ElementCount];
            foreach (var (at, place) in Places(b, bindings[b.Name]))
            {
                to[place] = from[at];
                from[at] = 0;
            }

            most = Math.Max(most, from.Length > to.Length ? from.Max(Math.Abs) : 0);
            return to;
        });
        others = most;
        return narrowed;
    }

    // A root that is a power of two rounds nothing.
    private static ModelConfig Widen(ModelConfig narrow)
    {
        int wider = 4 * narrow.HeadDim >= Least ? 4 : 16;
        double scale = narrow.QkNorm ? 1.0 / wider : 1;
        return narrow with
        {
            HeadDim = wider * narrow.HeadDim,
            RotaryDims = narrow.LearnedPositions is null ? narrow.RotaryDims ?? narrow.HeadDim : narrow.RotaryDims,
            AttentionScale = scale * (narrow.AttentionScale ?? (1 / Math.Sqrt(narrow.HeadDim))),
            Pattern = narrow.Pattern is { } pattern
                ? new LayerPattern([.. pattern.Kinds.Select(k => k with { AttentionScale = scale * k.AttentionScale })])
                : null,
        };
    }

    /// <summary>Places of a checkpoint's elements in the wide tensor and in the narrow one.</summary>
    private IEnumerable<(long Wide, long Narrow)> Places(WeightBinding from, WeightBinding to)
    {
        long rows = from.Shape[0], columns = from.ElementCount / rows, across = to.ElementCount / to.Shape[0];
        for (long r = 0; r < rows; r++)
        {
            for (long c = 0; c < columns; c++)
            {
                yield return ((Wide(r, to.Shape[0] > rows) * across) + Wide(c, across > columns), (r * columns) + c);
            }
        }
    }

    private long Wide(long at, bool widened) =>
        widened ? (at / narrow.HeadDim * Model.HeadDim) + (at % narrow.HeadDim) : at;
}
