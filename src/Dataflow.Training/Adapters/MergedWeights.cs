using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A model's weights with its adapter in them: W + scale B A, or DoRA's rows of that, in the place of W, computed in float64 and rounded
/// once. They are a model's like any other, and need no adapter.
/// </summary>
public sealed class MergedWeights : IWeightSource
{
    private readonly IWeightSource adapted;
    private readonly ObjectLayouts layouts;
    private readonly ObjectLayouts merged;
    private volatile Factors? last;

    /// <param name="adapted">Of a model with an adapter.</param>
    /// <exception cref="UserErrorException">The adapter changes embedding or head of a model that has one table for both.</exception>
    public MergedWeights(IWeightSource adapted)
    {
        ArgumentNullException.ThrowIfNull(adapted);
        if (adapted.Model is { TiedEmbedding: true, Adapter.Ends: not null } model)
        {
            throw new UserErrorException(
                $"the adapter changes the embedding or the head of {model.Name} alone, which have one table: merged, it would change both; "
                    + "use it unmerged, with --adapter"
            );
        }

        this.adapted = adapted;
        Model = adapted.Model.WithoutAdapter().Storing(null);
        (layouts, merged) = (new ObjectLayouts(adapted.Model), new ObjectLayouts(Model));
    }

    /// <inheritdoc/>
    public ModelConfig Model { get; }

    /// <inheritdoc/>
    public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
    {
        destination.Clear();
        foreach (var piece in ElementRanges.Of(merged[weights], firstElement, destination.Length / (int)type.Size()))
        {
            var tensor = layouts[weights][piece.Tensor.Name];
            var into = piece.In(destination, type);
            if (PartsOf(weights, tensor.Name).Length == 0)
            {
                adapted.Read(weights, tensor.ElementOffset + piece.FirstElement, into, type);
            }
            else
            {
                ElementConversion.FromFloats(Rows(weights, tensor, piece.FirstElement, piece.Count), into, type);
            }
        }
    }

    /// <summary>Some elements of a matrix; rows are merged whole.</summary>
    private Span<float> Rows(ParameterObject weights, WeightTensor tensor, long first, int count)
    {
        int columns = (int)tensor.Columns, top = (int)(first / columns), rows = (int)((first + count - 1) / columns) + 1 - top;
        float[] numbers = Numbers(weights, tensor, (long)top * columns, rows * columns);
        foreach (var factor in FactorsOf(weights, tensor).Parts)
        {
            int from = (int)Math.Max(top, factor.FirstRow), to = (int)Math.Min(top + rows, factor.FirstRow + factor.Part.Rows);
            if (from < to)
            {
                Parallel.For(from, to, row => factor.AddTo(row, numbers.AsSpan((row - top) * columns, columns)));
            }
        }

        return numbers.AsSpan((int)(first - ((long)top * columns)), count);
    }

    private Factors FactorsOf(ParameterObject weights, WeightTensor tensor)
    {
        if (last is { } known && known.Weights == weights && known.Matrix == tensor.Name)
        {
            return known;
        }

        var parts = PartsOf(weights, tensor.Name);
        bool isTable = tensor.Name == WeightName.EmbeddingTable;
        return last = new Factors(weights, tensor.Name, isTable ? [OfTable(parts[0])] : OfMatrix(weights, tensor, parts));
    }

    private Factor[] OfMatrix(ParameterObject weights, WeightTensor tensor, AdaptedRows[] parts)
    {
        int columns = (int)tensor.Columns;
        double[] down = Wide(weights, parts[0].A);
        if (parts[0].Experts > 0)
        {
            return [.. parts.SelectMany(p => OfExperts(p, down, columns, parts.Sum(o => o.Rank), Wide(weights, p.B)))];
        }

        return
        [
            .. parts.Select(p => new Factor(p, down.AsMemory(p.FirstRank * columns, p.Rank * columns), Wide(weights, p.B))
            {
                Lengths = p.HasMagnitude ? Wide(weights, p.Magnitude) : null,
            }),
        ];
    }

    /// <summary>A factor for each expert.</summary>
    private static IEnumerable<Factor> OfExperts(AdaptedRows part, double[] down, int columns, int ranks, double[] up)
    {
        int rows = (int)part.Rows;
        return Enumerable.Range(0, part.Experts).Select(e =>
            new Factor(
                part,
                down.AsMemory(((e * ranks) + part.FirstRank) * columns, part.Rank * columns),
                up[(e * rows * part.Rank)..((e + 1) * rows * part.Rank)])
            {
                FirstRow = (e * part.MatrixRows) + part.FirstRow,
            });
    }

    /// <summary>Rows of the table are looked up: A's, times the transpose of B. Both lie with the head.</summary>
    private Factor OfTable(AdaptedRows part)
    {
        double[] up = Wide(ParameterObject.Head, part.B);
        int columns = up.Length / part.Rank;
        double[] across = new double[up.Length];
        for (int i = 0; i < up.Length; i++)
        {
            across[(i % part.Rank * columns) + (i / part.Rank)] = up[i];
        }

        return new Factor(part, across, Wide(ParameterObject.Head, part.A));
    }

    private AdaptedRows[] PartsOf(ParameterObject weights, WeightName matrix) =>
        weights.Kind == ParameterObjectKind.Block
            ? [.. adapted.Model.KindOf(weights.Layer).Adapter?.Of(matrix) ?? []]
            : [.. adapted.Model.Adapter!.Ends?.Of(matrix) ?? []];

    private float[] Numbers(ParameterObject weights, WeightTensor tensor, long first, int count)
    {
        float[] numbers = new float[count];
        adapted.Read(weights, tensor.ElementOffset + first, MemoryMarshal.AsBytes(numbers.AsSpan()), DType.Float32);
        return numbers;
    }

    private double[] Wide(ParameterObject weights, WeightName name)
    {
        var tensor = layouts[weights][name];
        return Array.ConvertAll(Numbers(weights, tensor, 0, (int)tensor.Count), x => (double)x);
    }

    private sealed record Factors(ParameterObject Weights, WeightName Matrix, Factor[] Parts);

    /// <summary>A [rank, in] and B [rows, rank] of some rows of a matrix.</summary>
    private sealed record Factor(AdaptedRows Part, ReadOnlyMemory<double> A, double[] B)
    {
        /// <summary>Of the matrix.</summary>
        public long FirstRow { get; init; } = Part.FirstRow;

        /// <summary>What rows are long, whatever they are otherwise; null: as they are.</summary>
        public double[]? Lengths { get; init; }

        public void AddTo(int row, Span<float> numbers)
        {
            double[] sums = new double[numbers.Length];
            for (int k = 0; k < Part.Rank; k++)
            {
                double b = B[((row - FirstRow) * Part.Rank) + k] * Part.ExactScale;
                var a = A.Span.Slice(k * numbers.Length, numbers.Length);
                for (int i = 0; i < sums.Length; i++)
                {
                    sums[i] += b * a[i];
                }
            }

            double squares = 0;
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += numbers[i];
                squares += sums[i] * sums[i];
            }

            double factor = Lengths is { } lengths ? lengths[row - FirstRow] / Math.Sqrt(squares) : 1;
            for (int i = 0; i < sums.Length; i++)
            {
                numbers[i] = (float)(factor * sums[i]);
            }
        }
    }
}
