using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Between the order of a tensor's elements in memory and that in a checkpoint (<see cref="RowOrder"/>, or rows as columns): any range of
/// the one, from runs of the other.
/// </summary>
internal static class RowGather
{
    /// <summary>Reads consecutive elements from the other side, counted from the tensor's start.</summary>
    public delegate void ReadRun(long firstElement, Span<byte> destination);

    /// <summary>Fills with elements of the part as memory has it, read from the checkpoint's.</summary>
    /// <param name="part">Of a parameter.</param>
    /// <param name="first">Of the part, in memory.</param>
    /// <param name="destination">Whole elements.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="read">From the checkpoint's tensor.</param>
    public static void ToMemory(WeightPart part, long first, Span<byte> destination, int size, ReadRun read) =>
        ByMatrix(part, first, destination, size, read, static (part, first, destination, size, read) =>
        {
            var rows = part.Order is { } order ? order.Rows.AsSpan() : [];
            if (part.IsTransposed)
            {
                // Elements of a matrix of those side by side are columns in memory.
                var orders = part.IsSideBySide ? new Orders([], rows) : new Orders(rows, []);
                Transpose(part.Shape[1], part.Shape[0], orders, first, destination, size, read);
            }
            else if (part.Order is null)
            {
                read(first, destination);
            }
            else
            {
                Permute(rows, part.ElementCount / rows.Length, first, destination, size, read);
            }
        });

    /// <summary>Fills with elements of the part as the checkpoint has it, read from memory's.</summary>
    /// <param name="part">Of a parameter.</param>
    /// <param name="first">Of the part, in the checkpoint.</param>
    /// <param name="destination">Whole elements.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="read">From memory.</param>
    public static void ToCheckpoint(WeightPart part, long first, Span<byte> destination, int size, ReadRun read) =>
        ByMatrix(part, first, destination, size, read, static (part, first, destination, size, read) =>
        {
            int[] inverse = new int[part.Order?.Rows.Length ?? 0];
            for (int row = 0; row < inverse.Length; row++)
            {
                inverse[part.Order!.Rows[row]] = row;
            }

            if (part.IsTransposed)
            {
                var orders = part.IsSideBySide ? new Orders(inverse, []) : new Orders([], inverse);
                Transpose(part.Shape[0], part.Shape[1], orders, first, destination, size, read);
            }
            else if (inverse.Length == 0)
            {
                read(first, destination);
            }
            else
            {
                Permute(inverse, part.ElementCount / inverse.Length, first, destination, size, read);
            }
        });

    /// <summary>
    /// Of a stack, each matrix that the range touches as if it were alone. One that lies side by side is a matrix whose columns are its
    /// matrices, and whose rows the elements of one.
    /// </summary>
    private static void ByMatrix(WeightPart part, long first, Span<byte> destination, int size, ReadRun read, Gather gather)
    {
        if (part.IsSideBySide)
        {
            long elements = part.ElementCount / part.Stack, columns = elements / part.Shape[0];
            var order = part.Order is { } rows ? new RowOrder([.. rows.Rows.SelectMany(r => Run(r * columns, columns))]) : null;
            gather(part with { Shape = [elements, part.Stack], IsTransposed = true, Order = order }, first, destination, size, read);
            return;
        }

        bool isPlain = part is { Order: null, IsTransposed: false };
        if (isPlain || (part.Stack == 1 && !(part.IsTransposed && part.Shape.Length > 2)))
        {
            gather(part, first, destination, size, read);
            return;
        }

        var one = part with { Stack = 1, Shape = part.Shape[1..] };
        while (destination.Length > 0)
        {
            var (matrix, within) = Math.DivRem(first, one.ElementCount);
            long count = Math.Min(destination.Length / size, one.ElementCount - within);
            gather(one, within, destination[..(int)(count * size)], size, (from, run) => read((matrix * one.ElementCount) + from, run));
            destination = destination[(int)(count * size)..];
            first += count;
        }
    }

    private static IEnumerable<int> Run(long first, long count) => Enumerable.Range((int)first, (int)count);

    private delegate void Gather(WeightPart part, long first, Span<byte> destination, int size, ReadRun read);

    /// <summary>For each row, and for each column, its number on the other side; empty where the numbers are the same.</summary>
    private readonly ref struct Orders(ReadOnlySpan<int> rows, ReadOnlySpan<int> columns)
    {
        public ReadOnlySpan<int> Rows { get; } = rows;

        public ReadOnlySpan<int> Columns { get; } = columns;

        /// <summary>The rows of the other side among which some rows in a row are: the first, and how many.</summary>
        public (long First, int Count) Span(long from, long to)
        {
            if (Rows.IsEmpty)
            {
                return (from, (int)(to - from));
            }

            var (least, most) = (int.MaxValue, 0);
            foreach (int row in Rows[(int)from..(int)to])
            {
                (least, most) = (Math.Min(least, row), Math.Max(most, row));
            }

            return (least, most + 1 - least);
        }
    }

    /// <summary>A range of [rows, columns] from runs of [columns, rows]: those that the range touches, column by column.</summary>
    private static void Transpose(
        long rows, long columns, Orders orders, long first, Span<byte> destination, int size, ReadRun read)
    {
        long end = first + (destination.Length / size), top = first / columns, bottom = Math.Min(rows, (end + columns - 1) / columns);
        var (least, span) = orders.Span(top, bottom);
        byte[] run = ArrayPool<byte>.Shared.Rent(checked(span * size));
        for (long column = 0; column < columns; column++)
        {
            // Of the first and the last row perhaps not this column.
            long from = (top * columns) + column < first ? top + 1 : top;
            long to = ((bottom - 1) * columns) + column < end ? bottom : bottom - 1;
            if (from >= to)
            {
                continue;
            }

            // All rows of the span are of the tensor, and what no row of the range is of is passed over.
            var (start, count) = orders.Rows.IsEmpty ? (from, (int)(to - from)) : (least, span);
            var part = run.AsSpan(0, count * size);
            read(((orders.Columns.IsEmpty ? column : orders.Columns[(int)column]) * rows) + start, part);
            for (long row = from; row < to; row++)
            {
                long other = orders.Rows.IsEmpty ? row : orders.Rows[(int)row];
                part.Slice((int)(other - start) * size, size).CopyTo(destination[(int)(((row * columns) + column - first) * size)..]);
            }
        }

        ArrayPool<byte>.Shared.Return(run);
    }

    private static void Permute(ReadOnlySpan<int> rows, long columns, long first, Span<byte> destination, int size, ReadRun read)
    {
        long count = destination.Length / size;
        if (columns == 1)
        {
            // A vector: all of it at once, for a read an element would be slow.
            byte[] all = ArrayPool<byte>.Shared.Rent(rows.Length * size);
            read(0, all.AsSpan(0, rows.Length * size));
            for (int i = 0; i < count; i++)
            {
                all.AsSpan(rows[(int)first + i] * size, size).CopyTo(destination[(i * size)..]);
            }

            ArrayPool<byte>.Shared.Return(all);
            return;
        }

        for (long done = 0; done < count;)
        {
            var (row, column) = Math.DivRem(first + done, columns);
            long run = Math.Min(columns - column, count - done);
            read((rows[(int)row] * columns) + column, destination.Slice((int)(done * size), (int)(run * size)));
            done += run;
        }
    }
}
