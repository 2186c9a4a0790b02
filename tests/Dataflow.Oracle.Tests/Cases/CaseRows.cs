using Dataflow.Training;

namespace Dataflow.Oracle.Tests;

/// <summary>Rows as the engine reads them.</summary>
/// <param name="all">The rows.</param>
/// <param name="dividesByWeights">Whether their losses are divided by the sum of weights.</param>
public sealed class CaseRows(IReadOnlyList<PackedRow> all, bool dividesByWeights) : ITokenSource
{
    public int RowCount => all.Count;

    public int RowLength => all[0].Tokens.Length;

    public int InputsOf(int row) => all[row].Inputs;

    public void Read(int row, Span<int> destination) => all[row].Tokens.CopyTo(destination);

    public IReadOnlyList<int>? Documents(int row) => all[row].Documents;

    public bool HasWeights => all[0].Weights is not null;

    public void ReadWeights(int row, Span<float> weights) => all[row].Weights.CopyTo(weights);

    public double DivisorOf(ReadOnlySpan<int> rows, int counted, double weights) => dividesByWeights ? weights : counted;
}
