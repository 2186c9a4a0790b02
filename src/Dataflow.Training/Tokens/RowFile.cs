using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>What becomes of tokens at a file's end that do not fill a row.</summary>
public enum LastRow
{
    /// <summary>They are left out: training rows are all of one length.</summary>
    Whole,

    /// <summary>
    /// They are a row of their own if they have a target, filled up with inputs that have none: every target counts once.
    /// </summary>
    Short,
}

/// <summary>How the tokens of a file are cut into rows: consecutive, without overlap.</summary>
/// <param name="Count">Rows, a short last one among them.</param>
/// <param name="Length">Tokens of a row: seqlen + 1.</param>
/// <param name="Tokens">Of all rows together.</param>
/// <param name="LeftOver">Tokens after the last row.</param>
internal readonly record struct RowFile(int Count, int Length, long Tokens, long LeftOver)
{
    /// <summary>The rows that so many tokens make.</summary>
    /// <exception cref="UserErrorException">Not one, or more than can be numbered.</exception>
    public static RowFile Of(string path, long tokens, int seqlen, LastRow last)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seqlen, 1);
        long length = seqlen + 1L;
        long rest = tokens % length;
        bool isShort = last == LastRow.Short && rest > 1; // a single token has no target
        long rows = (tokens / length) + (isShort ? 1 : 0);
        return rows switch
        {
            0 when last == LastRow.Short => throw new UserErrorException(
                $"{path} has {tokens} tokens, and there is nothing to predict in fewer than 2: give a longer file"
            ),
            0 => throw new UserErrorException(
                $"{path} has {tokens} tokens, and one row of seqlen {seqlen} needs {length}: use a smaller seqlen or a longer file"
            ),
            > int.MaxValue => throw new UserErrorException(
                $"{path} has {rows} rows of seqlen {seqlen}, and at most {int.MaxValue} can be used: split the file"
            ),
            _ => new RowFile((int)rows, checked((int)length), isShort ? tokens : tokens - rest, isShort ? 0 : rest),
        };
    }

    /// <summary>Tokens of a row that the file holds: all but where the last one is short.</summary>
    public int TokensOf(int row) => (int)Math.Min(Length, Tokens - (row * (long)Length));

    /// <summary>Refuses a row that is not there or a destination of the wrong length: mistakes of the program.</summary>
    public void Check(int row, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Count);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, Length);
    }
}
