using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>The rows of one step, as a source of their own. Their memory serves step after step.</summary>
internal sealed class StepRows(RowSettings settings) : ITokenSource
{
    private RowBuffer[] rows = [];

    /// <inheritdoc/>
    public int RowCount => rows.Length;

    /// <inheritdoc/>
    public int RowLength => settings.Seqlen + 1;

    /// <summary>Takes other rows in place of those of before.</summary>
    /// <param name="count">How many.</param>
    /// <param name="fill">Fills one with the row that comes next.</param>
    public StepRows Take(int count, Action<RowBuffer> fill)
    {
        if (rows.Length != count)
        {
            rows = [.. Enumerable.Range(0, count).Select(_ => new RowBuffer(settings))];
        }

        Array.ForEach(rows, fill);
        return this;
    }

    /// <inheritdoc/>
    public int InputsOf(int row) => rows[row].Inputs;

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination) => rows[row].Ids.CopyTo(destination);

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => rows[row].Documents;

    /// <inheritdoc/>
    public bool HasPairs => rows.Length > 0 && rows[0].HasPairs;

    /// <inheritdoc/>
    public double ReferenceOf(int row, int document) => rows[row].References[document];

    /// <inheritdoc/>
    public bool ReadMask(int row, Span<byte> counts) => rows[row].ReadMask(counts);
}
