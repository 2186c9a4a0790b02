using Dataflow.Training;

namespace Dataflow.Tests.DocumentedCode;

/// <summary>What documentation shows of weights. It copies the region, which is run by <see cref="DocumentedCodeTests"/>.</summary>
internal static class Weighing
{
    public static TrainingOptions Of(TrainingOptions options, ITokenSource rows, Func<int, float> quality) =>
        options with { Data = [], Source = new Weighted(rows, quality) };
}

// <snippet weights>
/// <summary>Rows of which some are better than others, and count more.</summary>
internal sealed class Weighted(ITokenSource rows, Func<int, float> quality) : ITokenSource
{
    public int RowCount => rows.RowCount;

    public int RowLength => rows.RowLength;

    public bool HasWeights => true;

    public void Read(int row, Span<int> destination) => rows.Read(row, destination);

    public IReadOnlyList<int>? Documents(int row) => rows.Documents(row);

    // Any finite number, also below 0; what weighs 0 does not count.
    public void ReadWeights(int row, Span<float> weights) => weights.Fill(quality(row));

    // A weighted mean. Without this method the sum is divided by how many targets count.
    public double DivisorOf(ReadOnlySpan<int> rows, int counted, double weights) => weights;
}
// </snippet>
