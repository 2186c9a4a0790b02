using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>The rows of one step, as a source of their own.</summary>
internal sealed class StepRows(RowBuffer[] rows, int seqlen) : ITokenSource
{
    /// <inheritdoc/>
    public int RowCount => rows.Length;

    /// <inheritdoc/>
    public int RowLength => seqlen + 1;

    /// <inheritdoc/>
    public int InputsOf(int row) => rows[row].Inputs;

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination) => rows[row].Ids.CopyTo(destination);

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => rows[row].Documents;

    /// <inheritdoc/>
    public bool ReadMask(int row, Span<byte> counts) => rows[row].ReadMask(counts);
}
