using Dataflow.Training;

namespace Dataflow.Oracle.Tests;

/// <summary>Rows as the engine reads them.</summary>
public sealed class CaseRows(IReadOnlyList<PackedRow> rows) : ITokenSource
{
    public int RowCount => rows.Count;

    public int RowLength => rows[0].Tokens.Length;

    public int InputsOf(int row) => rows[row].Inputs;

    public void Read(int row, Span<int> destination) => rows[row].Tokens.CopyTo(destination);

    public IReadOnlyList<int>? Documents(int row) => rows[row].Documents;
}
