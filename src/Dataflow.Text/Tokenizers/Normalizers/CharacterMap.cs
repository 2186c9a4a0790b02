using System.Buffers.Binary;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The map of a SentencePiece normalizer, as its files hold it: the length of a double array, that array (a trie over bytes whose leaves
/// are places), and the texts at these places, each up to a zero.
/// </summary>
internal sealed class CharacterMap
{
    private readonly uint[] units;
    private readonly byte[] texts;

    private CharacterMap(uint[] units, byte[] texts) => (this.units, this.texts) = (units, texts);

    /// <summary>Reads a map.</summary>
    /// <param name="map">Its bytes.</param>
    /// <param name="path">Where they stand, for messages.</param>
    public static CharacterMap Read(ReadOnlySpan<byte> map, string path)
    {
        uint length = map.Length < 4 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(map);
        if (length == 0 || length > map.Length - 4 || length % 4 != 0)
        {
            throw new UserErrorException($"{path} is damaged: its trie is longer than it is, or cut");
        }

        uint[] units = new uint[length / 4];
        for (int i = 0; i < units.Length; i++)
        {
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(4 + i * 4)..]);
        }

        byte[] texts = map[(int)(4 + length)..].ToArray();
        return System.Text.Unicode.Utf8.IsValid(texts) ? new(units, texts)
            : throw new UserErrorException($"{path} is damaged: its texts are no UTF-8");
    }

    /// <summary>What the shortest prefix that the map knows becomes; null for none.</summary>
    public string? OfShortestPrefix(ReadOnlySpan<byte> key) =>
        Find(key, shortest: true) is { Length: > 0 } found ? TextAt(found.Value) : null;

    /// <summary>How long the longest prefix is that the map knows, and what it becomes; 0 for none.</summary>
    public int OfLongestPrefix(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> text)
    {
        var (length, value) = Find(key, shortest: false);
        text = length > 0 ? BytesAt(value) : default;
        return length;
    }

    private (int Length, int Value) Find(ReadOnlySpan<byte> key, bool shortest)
    {
        var found = (0, 0);
        uint node = Offset(units[0]);
        for (int i = 0; i < key.Length && key[i] != 0; i++)
        {
            node ^= key[i];
            if (node >= units.Length || (units[node] & 0x800000FFu) != key[i])
            {
                break;
            }

            uint unit = units[node];
            node ^= Offset(unit);
            if ((unit >> 8 & 1) != 0 && node < units.Length)
            {
                found = (i + 1, (int)(units[node] & 0x7FFFFFFF));
                if (shortest)
                {
                    break;
                }
            }
        }

        return found;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1u << 9) >> 6);

    private ReadOnlySpan<byte> BytesAt(int place)
    {
        var rest = texts.AsSpan(Math.Min(place, texts.Length));
        return rest.IndexOf((byte)0) is var end and >= 0 ? rest[..end] : rest;
    }

    private string TextAt(int place) => Encoding.UTF8.GetString(BytesAt(place));
}
