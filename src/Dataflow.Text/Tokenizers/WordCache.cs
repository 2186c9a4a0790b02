using System.Runtime.InteropServices;

namespace Dataflow.Text.Tokenizers;

/// <summary>The ids of words that were seen, by an open table. A full one begins anew, so that its memory stays bounded.</summary>
internal sealed class WordCache
{
    private const int Slots = 1 << 17;
    private const int MostWords = Slots / 2;

    private readonly Slot[] slots = new Slot[Slots];
    private char[] keys = new char[1 << 16];
    private int[] ids = new int[1 << 16];
    private int keysUsed;
    private int idsUsed;
    private int words;

    /// <summary>A hash of a word.</summary>
    public static uint Hash(ReadOnlySpan<char> word)
    {
        const ulong Factor = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)word.Length * Factor;
        var bytes = MemoryMarshal.AsBytes(word);
        while (bytes.Length >= 8)
        {
            hash = (hash ^ MemoryMarshal.Read<ulong>(bytes)) * Factor;
            hash ^= hash >> 29;
            bytes = bytes[8..];
        }

        ulong rest = 0;
        for (int i = 0; i < bytes.Length; i += 2)
        {
            rest = rest << 16 | MemoryMarshal.Read<ushort>(bytes[i..]);
        }

        hash = (hash ^ rest) * Factor;
        return (uint)(hash >> 32) | 1;
    }

    /// <summary>Adds the ids of a word to a list, if it was seen.</summary>
    public bool AddIds(ReadOnlySpan<char> word, uint hash, List<int> to)
    {
        for (uint at = hash >> 1 & (Slots - 1); ; at = at + 1 & (Slots - 1))
        {
            ref readonly var slot = ref slots[at];
            if (slot.Hash == hash && word.SequenceEqual(keys.AsSpan(slot.Key, slot.KeyLength)))
            {
                if (slot.IdCount == 1)
                {
                    to.Add(slot.Ids);
                }
                else
                {
                    to.AddRange(ids.AsSpan(slot.Ids, slot.IdCount));
                }

                return true;
            }

            if (slot.Hash == 0)
            {
                return false;
            }
        }
    }

    /// <summary>Keeps the ids of a word that is not there.</summary>
    public void Keep(ReadOnlySpan<char> word, uint hash, ReadOnlySpan<int> its)
    {
        if (words == MostWords)
        {
            Array.Clear(slots);
            (keysUsed, idsUsed, words) = (0, 0, 0);
        }

        uint at = hash >> 1 & (Slots - 1);
        while (slots[at].Hash != 0)
        {
            at = at + 1 & (Slots - 1);
        }

        Grow(ref keys, keysUsed + word.Length);
        word.CopyTo(keys.AsSpan(keysUsed));
        slots[at] = new() { Hash = hash, Key = keysUsed, KeyLength = (ushort)word.Length, IdCount = (ushort)its.Length, Ids = idsUsed };
        keysUsed += word.Length;
        words++;
        if (its.Length == 1)
        {
            slots[at].Ids = its[0];
            return;
        }

        Grow(ref ids, idsUsed + its.Length);
        its.CopyTo(ids.AsSpan(idsUsed));
        idsUsed += its.Length;
    }

    private static void Grow<T>(ref T[] array, int needed)
    {
        if (needed > array.Length)
        {
            Array.Resize(ref array, Math.Max(needed, array.Length * 2));
        }
    }

    // The one id itself, or where several are.
    private struct Slot
    {
        public uint Hash;
        public int Key;
        public int Ids;
        public ushort KeyLength;
        public ushort IdCount;
    }
}
