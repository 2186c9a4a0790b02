namespace Dataflow.Model;

/// <content>Products with some rows of a matrix.</content>
internal static partial class AdapterCalls
{
    // A matrix whose rows are multiplied by in several products (gated attention) goes back from its last rows to its first: what is of all
    // of it comes with these.
    private static bool IsLast(Operand rows) => rows.Slice.First == 0;

    /// <summary>Whether rows of a matrix, or all of them, are among a part's.</summary>
    private static bool Meets(Operand rows, AdaptedRows part) =>
        rows.Slice.IsWhole || (rows.Slice.First < part.FirstRow + part.Rows && part.FirstRow < rows.Slice.First + rows.Slice.Count);

    /// <summary>Whether more of a part's rows come behind these.</summary>
    private static bool GoesOnBehind(Operand rows, in AdaptedRows part) =>
        !rows.Slice.IsWhole && part.FirstRow + part.Rows > rows.Slice.First + rows.Slice.Count;

    /// <summary>Of what a product with those rows yields, the columns that are a part's.</summary>
    private static Operand ColumnsOf(Operand result, Operand rows, in AdaptedRows part)
    {
        var (first, count) = Shared(rows, part);
        return result.Columns(first - rows.Slice.First, count);
    }

    /// <summary>Of a part's B those rows.</summary>
    private static Operand RowsOf(Operand b, Operand rows, in AdaptedRows part)
    {
        var (first, count) = Shared(rows, part);
        return count == part.Rows ? b : b.Rows(first - part.FirstRow, count);
    }

    private static (long First, long Count) Shared(Operand rows, in AdaptedRows part)
    {
        if (rows.Slice.IsWhole)
        {
            return (part.FirstRow, part.Rows);
        }

        long first = Math.Max(part.FirstRow, rows.Slice.First);
        return (first, Math.Min(part.FirstRow + part.Rows, rows.Slice.First + rows.Slice.Count) - first);
    }
}
