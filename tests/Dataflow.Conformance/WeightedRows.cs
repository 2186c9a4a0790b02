using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>Rows of another source with weights of their targets, or the same as a mask.</summary>
/// <param name="inner">The rows.</param>
/// <param name="weightOf">The weight of a row's target.</param>
/// <param name="asMask">Whether a target counts where its weight is not 0, and all of these weigh 1.</param>
internal sealed class WeightedRows(ITokenSource inner, Func<int, int, float> weightOf, bool asMask = false) : ITokenSource
{
    public int RowCount => inner.RowCount;

    public int RowLength => inner.RowLength;

    public bool HasWeights => !asMask;

    /// <summary>What sums are divided by in place of the number of targets that count.</summary>
    public Func<double, double>? Divisor { get; init; }

    public int InputsOf(int row) => inner.InputsOf(row);

    public void Read(int row, Span<int> destination) => inner.Read(row, destination);

    public IReadOnlyList<int>? Documents(int row) => inner.Documents(row);

    public bool ReadMask(int row, Span<byte> counts)
    {
        for (int i = 0; asMask && i < counts.Length; i++)
        {
            counts[i] = (byte)(weightOf(row, i) == 0 ? 0 : 1);
        }

        return asMask;
    }

    public void ReadWeights(int row, Span<float> weights)
    {
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = weightOf(row, i);
        }
    }

    public double DivisorOf(ReadOnlySpan<int> rows, int counted, double weights) => Divisor?.Invoke(weights) ?? counted;
}
