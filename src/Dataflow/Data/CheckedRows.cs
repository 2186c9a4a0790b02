using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Rows of a caller's own source, whose ids and documents are checked as they are read: a kernel would leave its memory by a wrong one.
/// </summary>
internal sealed class CheckedRows(ITokenSource own, int vocabulary) : ITokenSource
{
    /// <inheritdoc/>
    public int RowCount => own.RowCount;

    /// <inheritdoc/>
    public int RowLength => own.RowLength;

    /// <inheritdoc/>
    public long LeftOver => own.LeftOver;

    /// <inheritdoc/>
    public int InputsOf(int row) => own.InputsOf(row) is var inputs && inputs > 0 && inputs < RowLength
        ? inputs
        : throw new UserErrorException($"row {row} of the token source has {inputs} inputs; give 1 to {RowLength - 1}");

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        own.Read(row, destination);
        for (int i = 0; i < destination.Length; i++)
        {
            if ((uint)destination[i] >= (uint)vocabulary)
            {
                throw new UserErrorException(
                    $"token {i} of row {row} of the token source has id {destination[i]}, and the model's vocabulary has {vocabulary} ids"
                );
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row)
    {
        var lengths = own.Documents(row);
        return lengths is null || (lengths.All(l => l > 0) && lengths.Sum() == InputsOf(row))
            ? lengths
            : throw new UserErrorException($"the documents of row {row} of the token source do not sum to its {InputsOf(row)} inputs");
    }

    /// <inheritdoc/>
    public bool ReadMask(int row, Span<byte> counts) => own.ReadMask(row, counts);

    /// <inheritdoc/>
    public bool HasPairs => own.HasPairs;

    /// <inheritdoc/>
    public double ReferenceOf(int row, int document) => own.ReferenceOf(row, document) is var sum && double.IsFinite(sum) ? sum
        : throw new UserErrorException(
            $"the reference's log-probability of document {document} of row {row} of the token source is {sum}; give a finite number");

    /// <inheritdoc/>
    public bool HasWeights => own.HasWeights;

    /// <inheritdoc/>
    public void ReadWeights(int row, Span<float> weights)
    {
        own.ReadWeights(row, weights);
        if (weights.IndexOfAnyExceptInRange(float.MinValue, float.MaxValue) is >= 0 and var target)
        {
            throw new UserErrorException(
                $"the weight of target {target} of row {row} of the token source is {weights[target]}; give a finite number"
            );
        }
    }

    /// <inheritdoc/>
    public double DivisorOf(ReadOnlySpan<int> rows, int counted, double weights) => own.DivisorOf(rows, counted, weights);
}
