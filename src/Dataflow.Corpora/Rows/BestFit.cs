using System.Numerics;

namespace Dataflow.Corpora;

/// <summary>
/// Packs lengths into rows of one capacity: the longest first, each into the row that it leaves the least room in, a new row where it fits
/// into none (best fit decreasing; Johnson, 1973: at most 11/9 of the fewest rows and a constant more).
/// </summary>
internal static class BestFit
{
    private const int None = -1;

    /// <summary>The row of each length.</summary>
    /// <param name="lengths">From 1 to the capacity. Equal ones are taken in this order.</param>
    /// <param name="capacity">Of a row.</param>
    /// <param name="rowOf">For each length its row, from 0.</param>
    /// <returns>How many rows there are.</returns>
    public static int Pack(ReadOnlySpan<int> lengths, int capacity, Span<int> rowOf)
    {
        int rows = 0;
        var open = new RoomIndex(capacity);
        // Of rows with the same room the one that had it last comes first: any rule would do, as long as it is one.
        int[] newest = new int[capacity + 1];
        int[] below = new int[lengths.Length];
        Array.Fill(newest, None);
        foreach (int i in LongestFirst(lengths, capacity))
        {
            int length = lengths[i];
            int room = open.AtLeast(length);
            int row;
            if (room == None)
            {
                (row, room) = (rows++, capacity);
            }
            else
            {
                row = newest[room];
                newest[room] = below[row];
                if (newest[room] == None)
                {
                    open.Remove(room);
                }
            }

            rowOf[i] = row;
            room -= length;
            if (room > 0)
            {
                below[row] = newest[room];
                newest[room] = row;
                open.Add(room);
            }
        }

        return rows;
    }

    private static int[] LongestFirst(ReadOnlySpan<int> lengths, int capacity)
    {
        int[] begins = new int[capacity + 2];
        foreach (int length in lengths)
        {
            begins[capacity - length + 1]++;
        }

        for (int i = 1; i < begins.Length; i++)
        {
            begins[i] += begins[i - 1];
        }

        int[] order = new int[lengths.Length];
        for (int i = 0; i < lengths.Length; i++)
        {
            order[begins[capacity - lengths[i]]++] = i;
        }

        return order;
    }

    /// <summary>Numbers up to a most, of which the smallest that is not below another is found by a few words of bits.</summary>
    private sealed class RoomIndex
    {
        private const int WordBits = 6;
        private readonly ulong[][] levels;

        public RoomIndex(int most)
        {
            var made = new List<ulong[]>();
            int size = most + 1;
            do
            {
                size = (size + 63) >> WordBits;
                made.Add(new ulong[size]);
            }
            while (size > 1);

            levels = [.. made];
        }

        public void Add(int number)
        {
            foreach (ulong[] level in levels)
            {
                level[number >> WordBits] |= 1UL << (number & 63);
                number >>= WordBits;
            }
        }

        public void Remove(int number)
        {
            foreach (ulong[] level in levels)
            {
                level[number >> WordBits] &= ~(1UL << (number & 63));
                if (level[number >> WordBits] != 0)
                {
                    return;
                }

                number >>= WordBits;
            }
        }

        public int AtLeast(int number)
        {
            for (int l = 0; l < levels.Length; l++)
            {
                int word = number >> WordBits;
                if (word >= levels[l].Length)
                {
                    return None;
                }

                ulong above = levels[l][word] & (ulong.MaxValue << (number & 63));
                if (above != 0)
                {
                    int found = (word << WordBits) + BitOperations.TrailingZeroCount(above);
                    while (l-- > 0)
                    {
                        found = (found << WordBits) + BitOperations.TrailingZeroCount(levels[l][found]);
                    }

                    return found;
                }

                number = word + 1;
            }

            return None;
        }
    }
}
