using System.Numerics;

namespace Dataflow.Text.Tokenizers;

/// <summary>The pairs that merge: their rank and what they become, by an open table of the pair's two ids.</summary>
internal sealed class MergeTable
{
    private readonly long[] pairs;
    private readonly (int Rank, int Merged)[] merges;
    private readonly int mask;

    /// <summary>With room for a number of merges.</summary>
    public MergeTable(int count)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, count * 2L));
        pairs = new long[size];
        merges = new (int, int)[size];
        mask = size - 1;
    }

    /// <summary>Adds a merge; the later of two for one pair holds.</summary>
    public void Add(int left, int right, int rank, int merged)
    {
        int slot = Slot(Key(left, right));
        pairs[slot] = Key(left, right);
        merges[slot] = (rank, merged);
    }

    /// <summary>The rank of a pair and what it becomes; a rank of <see cref="int.MaxValue"/> where it does not merge.</summary>
    public (int Rank, int Merged) this[int left, int right]
    {
        get
        {
            int slot = Slot(Key(left, right));
            return pairs[slot] == 0 ? (int.MaxValue, -1) : merges[slot];
        }
    }

    // Zero is an empty slot.
    private static long Key(int left, int right) => ((long)left << 32 | (uint)right) + 1;

    private int Slot(long key)
    {
        int slot = (int)((ulong)key * 0x9E3779B97F4A7C15 >> 33) & mask;
        while (pairs[slot] != 0 && pairs[slot] != key)
        {
            slot = slot + 1 & mask;
        }

        return slot;
    }
}
