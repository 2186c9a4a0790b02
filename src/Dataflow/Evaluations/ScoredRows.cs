using Dataflow.Training;

namespace Dataflow;

/// <summary>Tokens of which some are scored, each by what stands before it in the row.</summary>
/// <param name="Ids">From 2 to seqlen + 1 of them.</param>
/// <param name="FirstScored">The first that is scored, at least the second: those before it are context.</param>
/// <param name="Weights">For each token whether it may be scored; null: all.</param>
internal sealed record ScoredRow(int[] Ids, int FirstScored, byte[]? Weights = null)
{
    /// <summary>How many are scored.</summary>
    public int Scored => Enumerable.Range(FirstScored, Ids.Length - FirstScored).Count(IsScored);

    /// <summary>Whether a token is scored.</summary>
    public bool IsScored(int token) => token >= FirstScored && (Weights is null || Weights[token] != 0);
}

/// <summary>Some rows that are evaluated together.</summary>
internal sealed class ScoredRows(IReadOnlyList<ScoredRow> rows, int seqlen) : ITokenSource
{
    /// <inheritdoc/>
    public int RowCount => rows.Count;

    /// <inheritdoc/>
    public int RowLength => seqlen + 1;

    /// <inheritdoc/>
    public int InputsOf(int row) => rows[row].Ids.Length - 1;

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        rows[row].Ids.CopyTo(destination);
        destination[rows[row].Ids.Length..].Clear();
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => null;

    /// <inheritdoc/>
    public bool ReadMask(int row, Span<byte> counts)
    {
        counts.Clear();
        for (int token = 1; token < rows[row].Ids.Length; token++)
        {
            counts[token - 1] = rows[row].IsScored(token) ? (byte)1 : (byte)0;
        }

        return true;
    }
}
