using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The rows of a token file: consecutive, without overlap; a partial row at the end is left out.</summary>
internal static class RowFile
{
    /// <summary>How many whole rows the tokens make.</summary>
    /// <exception cref="UserErrorException">Not one, or more than can be numbered.</exception>
    public static int RowCount(string path, long tokens, int seqlen)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seqlen, 1);
        long rows = tokens / (seqlen + 1L);
        return rows switch
        {
            0 => throw new UserErrorException($"{path} has {tokens} tokens, and one row of seqlen {seqlen} needs {seqlen + 1L}: use a smaller seqlen or a longer file"),
            > int.MaxValue => throw new UserErrorException($"{path} has {rows} rows of seqlen {seqlen}, and at most {int.MaxValue} can be used: split the file"),
            _ => (int)rows,
        };
    }

    /// <summary>Refuses a row that is not there or a destination of the wrong length: mistakes of the program.</summary>
    public static void Check(ITokenSource source, int row, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, source.RowCount);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.RowLength);
    }
}
