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
    public static void ToMemory(WeightPart part, long first, Span<byte> destination, int size, ReadRun read)
    {
        if (part.IsTransposed)
        {
            Transpose(part.Shape[1], part.Shape[0], first, destination, size, read);
        }
        else if (part.Order is not { } order)
        {
            read(first, destination);
        }
        else
        {
            Permute(order.Rows.AsSpan(), part.ElementCount / order.Rows.Length, first, destination, size, read);
        }
    }

    /// <summary>Fills with elements of the part as the checkpoint has it, read from memory's.</summary>
    /// <param name="part">Of a parameter.</param>
    /// <param name="first">Of the part, in the checkpoint.</param>
    /// <param name="destination">Whole elements.</param>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="read">From memory.</param>
    public static void ToCheckpoint(WeightPart part, long first, Span<byte> destination, int size, ReadRun read)
    {
        if (part.IsTransposed)
        {
            Transpose(part.Shape[0], part.Shape[1], first, destination, size, read);
        }
        else if (part.Order is not { } order)
        {
            read(first, destination);
        }
        else
        {
            int[] inverse = new int[order.Rows.Length];
            for (int row = 0; row < inverse.Length; row++)
            {
                inverse[order.Rows[row]] = row;
            }

            Permute(inverse, part.ElementCount / inverse.Length, first, destination, size, read);
        }
    }

    /// <summary>A range of [rows, columns] from runs of [columns, rows]: those that the range touches, column by column.</summary>
    private static void Transpose(long rows, long columns, long first, Span<byte> destination, int size, ReadRun read)
    {
        long end = first + (destination.Length / size), top = first / columns, bottom = Math.Min(rows, (end + columns - 1) / columns);
        byte[] run = ArrayPool<byte>.Shared.Rent(checked((int)(bottom - top) * size));
        for (long column = 0; column < columns; column++)
        {
            // Of the first and the last row perhaps not this column.
            long from = (top * columns) + column < first ? top + 1 : top;
            long to = ((bottom - 1) * columns) + column < end ? bottom : bottom - 1;
            if (from >= to)
            {
                continue;
            }

            var part = run.AsSpan(0, (int)(to - from) * size);
            read((column * rows) + from, part);
            for (long row = from; row < to; row++)
            {
                part.Slice((int)(row - from) * size, size).CopyTo(destination[(int)(((row * columns) + column - first) * size)..]);
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
