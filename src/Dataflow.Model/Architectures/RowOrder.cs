using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>How the rows of a checkpoint's tensor lie in memory, where that is otherwise than in the file.</summary>
/// <param name="Rows">For each row in memory, its row in the file; each once.</param>
public sealed record RowOrder(ImmutableArray<int> Rows)
{
    /// <summary>
    /// Of the rows of heads: kernels turn pairs (i, i + head_dim / 2), and what is not turned lies behind those that are in either half.
    /// </summary>
    /// <param name="heads">How many.</param>
    /// <param name="headDim">Rows of a head.</param>
    /// <param name="rotated">Of these, the first so many are turned.</param>
    /// <param name="neighbours">In the file, pairs are (0, 1), (2, 3), ...; else the halves of what is turned.</param>
    /// <returns>Null where files have that order themselves.</returns>
    public static RowOrder? OfHeads(int heads, int headDim, int rotated, bool neighbours)
    {
        if (rotated == headDim && !neighbours)
        {
            return null;
        }

        int half = headDim / 2, pairs = rotated / 2;
        int InFile(int row)
        {
            var (side, pair) = Math.DivRem(row, half);
            return pair >= pairs ? rotated + (side * (half - pairs)) + pair - pairs
                : neighbours ? (2 * pair) + side
                : (side * pairs) + pair;
        }

        int[] head = [.. Enumerable.Range(0, headDim).Select(InFile)];
        return new([.. Enumerable.Range(0, heads * headDim).Select(r => (r / headDim * headDim) + head[r % headDim])]);
    }

    /// <summary>The same of heads that a file has with what is turned behind what is not.</summary>
    /// <param name="heads">How many.</param>
    /// <param name="plain">Rows of a head that are not turned.</param>
    /// <param name="rotated">Rows that are.</param>
    /// <param name="neighbours">As in <see cref="OfHeads"/>.</param>
    public static RowOrder OfHeadsTurnedLast(int heads, int plain, int rotated, bool neighbours)
    {
        int width = plain + rotated;
        var head = OfHeads(1, width, rotated, neighbours)!;
        int InFile(int row) => head.Rows[row] is var from && from < rotated ? plain + from : from - rotated;
        return new([.. Enumerable.Range(0, heads * width).Select(r => (r / width * width) + InFile(r % width))]);
    }

    /// <summary>Of queries, keys and values that a file has head by head, and memory one after the other.</summary>
    /// <param name="heads">How many; as many of keys and values as of queries.</param>
    /// <param name="headDim">Rows of a head.</param>
    /// <param name="withinHeads">The order of rotated heads, of queries and keys.</param>
    public static RowOrder OfHeadsInterleaved(int heads, int headDim, RowOrder? withinHeads)
    {
        int InFile(int row)
        {
            var (kind, at) = Math.DivRem(row, heads * headDim);
            int within = kind < 2 && withinHeads is { } order ? order.Rows[at % headDim] : at % headDim;
            return (((at / headDim * 3) + kind) * headDim) + within;
        }

        return new([.. Enumerable.Range(0, 3 * heads * headDim).Select(InFile)]);
    }

    /// <summary>Of queries that a file has head by head, each before its gate; memory has all gates, then all queries.</summary>
    /// <param name="heads">How many.</param>
    /// <param name="headDim">Rows of a head, and of its gate.</param>
    /// <param name="withinHeads">The order of rotated heads.</param>
    public static RowOrder OfHeadsBehindGates(int heads, int headDim, RowOrder? withinHeads)
    {
        int InFile(int row)
        {
            var (kind, at) = Math.DivRem(row, heads * headDim);
            int within = kind == 1 && withinHeads is { } order ? order.Rows[at % headDim] : at % headDim;
            return (((at / headDim * 2) + 1 - kind) * headDim) + within;
        }

        return new([.. Enumerable.Range(0, 2 * heads * headDim).Select(InFile)]);
    }

    /// <summary>Of rows of two kinds that a file has by turns, and memory one kind behind the other.</summary>
    /// <param name="count">Of each kind.</param>
    public static RowOrder ByTurns(int count) =>
        new([.. Enumerable.Range(0, 2 * count).Select(r => (2 * (r % count)) + (r / count))]);

    /// <summary>The rows of several parts, one behind the other in file and memory; null if all are in order.</summary>
    public static RowOrder? Joined(params ReadOnlySpan<(RowOrder? Order, int Rows)> parts)
    {
        bool any = false;
        var rows = ImmutableArray.CreateBuilder<int>();
        foreach (var (order, count) in parts)
        {
            int first = rows.Count;
            any |= order is not null;
            rows.AddRange(Enumerable.Range(0, count).Select(r => first + (order is { } some ? some.Rows[r] : r)));
        }

        return any ? new(rows.ToImmutable()) : null;
    }

    /// <inheritdoc/>
    public bool Equals(RowOrder? other) => other is not null && Rows.AsSpan().SequenceEqual(other.Rows.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Rows.Length;
}
