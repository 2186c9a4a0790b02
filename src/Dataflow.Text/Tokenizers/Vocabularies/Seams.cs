using System.Numerics;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Places of a text where no token of a vocabulary lies across: between two characters that stand side by side in none. Pairs that merge
/// on either side know nothing of the other, so a piece may be cut there and each part merged by itself.
/// </summary>
internal sealed class Seams
{
    // As many bits for each character of the vocabulary, so that pairs that are not there seldom share the bit of one that is.
    private const int BitsPerCharacter = 8;

    private readonly ulong[] known = new ulong[0x10000 / 64];
    private readonly ulong[] pairs;
    private readonly int shift;

    /// <summary>Of the tokens of a vocabulary.</summary>
    public Seams(Vocabulary vocabulary)
    {
        long characters = vocabulary.All.Sum(t => (long)t.Key.Length);
        int bits = Math.Clamp(BitOperations.Log2((ulong)characters + 1) + BitOperations.Log2(BitsPerCharacter), 12, 28);
        pairs = new ulong[(1 << bits) / 64];
        shift = 32 - bits;
        foreach (var (token, _) in vocabulary.All)
        {
            if (token.Length == 1 && !char.IsSurrogate(token[0]))
            {
                known[token[0] >> 6] |= 1UL << token[0];
            }

            for (int i = 1; i < token.Length; i++)
            {
                uint pair = Pair(token[i - 1], token[i]);
                pairs[pair >> 6] |= 1UL << (int)pair;
            }
        }
    }

    /// <summary>The first such place behind the beginning of a piece; the end of the piece where there is none.</summary>
    public int Next(ReadOnlySpan<char> piece)
    {
        for (int i = 1; i < piece.Length; i++)
        {
            if (Parts(piece[i - 1], piece[i]))
            {
                return i;
            }
        }

        return piece.Length;
    }

    /// <summary>
    /// Whether one lies between two characters. What the vocabulary does not know has none beside it: such characters may join each other.
    /// </summary>
    public bool Parts(char left, char right)
    {
        uint pair = Pair(left, right);
        return (pairs[pair >> 6] >> (int)pair & 1) == 0 && IsKnown(left) && IsKnown(right);
    }

    private bool IsKnown(char unit) => (known[unit >> 6] >> unit & 1) != 0;

    private uint Pair(char left, char right) => ((uint)left << 16 | right) * 0x9E3779B1 >> shift;
}
