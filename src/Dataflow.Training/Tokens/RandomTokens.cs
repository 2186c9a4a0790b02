namespace Dataflow.Training;

/// <summary>
/// Rows of random ids, for runs whose numbers need no meaning: all rows differ, no id is preferred, and every run reads the same.
/// </summary>
/// <param name="rows">Number of rows, at least 1.</param>
/// <param name="seqlen">Inputs of a row; a row has one token more.</param>
/// <param name="vocabSize">Ids are from 0 to one less.</param>
public sealed class RandomTokens(int rows, int seqlen, int vocabSize) : ITokenSource
{
    /// <inheritdoc/>
    public int RowCount => rows;

    /// <inheritdoc/>
    public int RowLength => seqlen + 1;

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        ulong key = SplitMix64.Mix((ulong)row);
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = (int)(SplitMix64.At(key, (ulong)i) % (ulong)vocabSize);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => null;
}
