namespace Dataflow.Training;

/// <summary>
/// Rows of token ids of equal length. The inputs of a row are all its tokens but the last, the targets all but the first. Ids are
/// valid for the vocabulary that the source was opened for. Reading is safe from any number of threads and allocates nothing.
/// </summary>
public interface ITokenSource
{
    /// <summary>At least 1.</summary>
    int RowCount { get; }

    /// <summary>Tokens of a row: seqlen + 1.</summary>
    int RowLength { get; }

    /// <summary>Tokens at the file's end that are in no row.</summary>
    long LeftOver => 0;

    /// <summary>
    /// Inputs of a row that have a target: seqlen, but fewer in a short last row, where zeros fill what is left of the row.
    /// </summary>
    int InputsOf(int row) => RowLength - 1;

    /// <summary>Copies a row.</summary>
    /// <param name="row">From 0 to <see cref="RowCount"/> - 1.</param>
    /// <param name="destination"><see cref="RowLength"/> ids.</param>
    /// <exception cref="Dataflow.Model.UserErrorException">The file changed or became unreadable.</exception>
    void Read(int row, Span<int> destination);

    /// <summary>
    /// Lengths of the documents packed into a row's inputs, in order, summing to <see cref="InputsOf"/>; null if the row is one document
    /// that goes on beyond it. Attention stays inside a document, positions restart in each, and a listed document's last target is not
    /// counted.
    /// </summary>
    IReadOnlyList<int>? Documents(int row);

    /// <summary>Says which of a row's targets count.</summary>
    /// <param name="row">From 0 to <see cref="RowCount"/> - 1.</param>
    /// <param name="counts">A byte for each of the row's targets: 0 where it does not count. Written only where the result is true.</param>
    /// <returns>False where all of them count.</returns>
    bool ReadMask(int row, Span<byte> counts) => false;
}
