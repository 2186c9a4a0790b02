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

    /// <summary>Whether targets have weights of their own: a step then computes with them, and takes 4 bytes a token more.</summary>
    bool HasWeights => false;

    /// <summary>
    /// The weights of a row's targets in the loss and in its gradient, where <see cref="HasWeights"/>: any finite numbers. A target that
    /// weighs 0 does not count, and neither does one that the mask or the documents leave out, whatever it weighs.
    /// </summary>
    /// <param name="row">From 0 to <see cref="RowCount"/> - 1.</param>
    /// <param name="weights">A number for each of the row's targets, all of them 1 before the call.</param>
    void ReadWeights(int row, Span<float> weights)
    {
    }

    /// <summary>
    /// What the sum of the losses of a step's targets, each times its weight, is divided by: by default the number of targets that count,
    /// as of a mean. The sum of their weights gives a weighted mean; any other positive number will do, too.
    /// </summary>
    /// <param name="rows">The step's rows.</param>
    /// <param name="counted">How many of their targets count.</param>
    /// <param name="weights">The sum of the weights of those.</param>
    double DivisorOf(ReadOnlySpan<int> rows, int counted, double weights) => counted;

    /// <summary>
    /// Whether a row's documents are pairs: the preferred one, and the other after it. Their loss is then a <see cref="PreferenceLoss"/>.
    /// </summary>
    bool HasPairs => false;

    /// <summary>The sum of the reference's log-probabilities of a document's counted targets, where <see cref="HasPairs"/>.</summary>
    /// <param name="row">From 0 to <see cref="RowCount"/> - 1.</param>
    /// <param name="document">Among the row's, from 0.</param>
    double ReferenceOf(int row, int document) => 0;
}
