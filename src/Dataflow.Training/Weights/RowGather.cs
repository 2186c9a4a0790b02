using System.Buffers;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Between the order of a tensor's rows in memory and that in a checkpoint (<see cref="RowOrder"/>): any range of the one, from runs of the
/// other.
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
        if (part.Order is not { } order)
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
        if (part.Order is not { } order)
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
