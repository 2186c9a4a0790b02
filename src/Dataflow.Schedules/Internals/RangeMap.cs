namespace Dataflow.Schedules.Internals;

/// <summary>
/// A value for every byte of [0, length): a sorted list of pieces, each with one value, cut where needed. Assigning a range makes it one
/// piece again, so the list stays as short as the accesses are regular.
/// </summary>
/// <typeparam name="T">An immutable value: cutting a piece copies it to both sides.</typeparam>
internal sealed class RangeMap<T>
{
    private readonly long length;
    private long[] starts = new long[2];
    private T[] values = new T[2];

    public RangeMap(long length, T initial)
    {
        this.length = length;
        values[0] = initial;
        Count = 1;
    }

    /// <summary>Number of pieces.</summary>
    public int Count { get; private set; }

    /// <summary>First byte of a piece.</summary>
    public long Start(int piece) => starts[piece];

    /// <summary>One past the last byte of a piece.</summary>
    public long End(int piece) => piece + 1 < Count ? starts[piece + 1] : length;

    /// <summary>The value of a piece.</summary>
    public ref T this[int piece] => ref values[piece];

    /// <summary>The piece that holds a byte.</summary>
    public int Find(long at)
    {
        // A whole access of a whole piece is by far the most frequent.
        if (Count == 1)
        {
            return 0;
        }

        int found = Array.BinarySearch(starts, 0, Count, at);
        return found >= 0 ? found : ~found - 1;
    }

    /// <summary>The piece that begins at a byte (<see cref="Count"/> for the end), after a cut if need be.</summary>
    public int Cut(long at)
    {
        if (at == length)
        {
            return Count;
        }

        int piece = Find(at);
        if (starts[piece] == at)
        {
            return piece;
        }

        if (Count == starts.Length)
        {
            Array.Resize(ref starts, 2 * Count);
            Array.Resize(ref values, 2 * Count);
        }

        int tail = Count - piece - 1;
        Array.Copy(starts, piece + 1, starts, piece + 2, tail);
        Array.Copy(values, piece + 1, values, piece + 2, tail);
        starts[piece + 1] = at;
        values[piece + 1] = values[piece];
        Count++;
        return piece + 1;
    }

    /// <summary>Gives [start, end), not empty, one value.</summary>
    public void Assign(long start, long end, T value)
    {
        int first = Cut(start);
        int after = Cut(end);
        int tail = Count - after;
        if (after > first + 1)
        {
            Array.Copy(starts, after, starts, first + 1, tail);
            Array.Copy(values, after, values, first + 1, tail);
            Count = first + 1 + tail;
        }

        values[first] = value;
    }
}
