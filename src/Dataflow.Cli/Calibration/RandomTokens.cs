using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Rows of ids that look like text to a machine: all differ, none is preferred.</summary>
internal sealed class RandomTokens(int rows, int rowLength, int vocabulary) : ITokenSource
{
    /// <inheritdoc/>
    public int RowCount => rows;

    /// <inheritdoc/>
    public int RowLength => rowLength;

    /// <inheritdoc/>
    public void Read(int row, Span<int> destination)
    {
        var random = new Random(row);
        foreach (ref int id in destination)
        {
            id = random.Next(vocabulary);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int>? Documents(int row) => null;
}
