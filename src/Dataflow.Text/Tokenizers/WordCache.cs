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

    /// <summary>The ids of a word that was seen.</summary>
    public bool TryGet(ReadOnlySpan<char> word, uint hash, out ReadOnlySpan<int> found)
    {
        for (uint at = hash >> 1 & (Slots - 1); slots[at].Hash != 0; at = at + 1 & (Slots - 1))
        {
            ref readonly var slot = ref slots[at];
            if (slot.Hash == hash && word.SequenceEqual(keys.AsSpan(slot.Key, slot.KeyLength)))
            {
                found = ids.AsSpan(slot.Ids, slot.IdCount);
                return true;
            }
        }

        found = default;
        return false;
    }

    /// <summary>Keeps the ids of a word that is not there.</summary>
    public void Add(ReadOnlySpan<char> word, uint hash, ReadOnlySpan<int> its)
    {
        if (words == MostWords)
        {
            Array.Clear(slots);
            (keysUsed, idsUsed, words) = (0, 0, 0);
        }

        Grow(ref keys, keysUsed + word.Length);
        Grow(ref ids, idsUsed + its.Length);
        word.CopyTo(keys.AsSpan(keysUsed));
        its.CopyTo(ids.AsSpan(idsUsed));
        uint at = hash >> 1 & (Slots - 1);
        while (slots[at].Hash != 0)
        {
            at = at + 1 & (Slots - 1);
        }

        slots[at] = new() { Hash = hash, Key = keysUsed, KeyLength = word.Length, Ids = idsUsed, IdCount = its.Length };
        keysUsed += word.Length;
        idsUsed += its.Length;
        words++;
    }

    private static void Grow<T>(ref T[] array, int needed)
    {
        if (needed > array.Length)
        {
            Array.Resize(ref array, Math.Max(needed, array.Length * 2));
        }
    }

    private struct Slot
    {
        public uint Hash;
        public int Key;
        public int KeyLength;
        public int Ids;
        public int IdCount;
    }
}
