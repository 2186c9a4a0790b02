using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The characters that stand for bytes in byte-level vocabularies: visible ones as themselves, the others from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] s_characters = Characters();
    private static readonly short[] s_bytes = Bytes();

    /// <summary>All of them, in the order of code points.</summary>
    public static IEnumerable<char> InOrder => s_characters.Order();

    /// <summary>The character of a byte.</summary>
    public static char Of(byte value) => s_characters[value];

    /// <summary>The byte of a character; -1 for one that stands for none.</summary>
    public static int ByteOf(char character) => character < s_bytes.Length ? s_bytes[character] : -1;

    /// <summary>The bytes of a code point, spelled.</summary>
    public static string Spelled(int codePoint)
    {
        Span<byte> bytes = stackalloc byte[4];
        Span<char> characters = stackalloc char[4];
        int length = new Rune(codePoint).EncodeToUtf8(bytes);
        for (int i = 0; i < length; i++)
        {
            characters[i] = s_characters[bytes[i]];
        }

        return new(characters[..length]);
    }

    /// <summary>The bytes of a text, spelled, into a span with room for three characters a UTF-16 unit; returns how many.</summary>
    public static int Spell(ReadOnlySpan<char> text, Span<char> spelled)
    {
        int length = 0;
        Span<byte> bytes = stackalloc byte[4];
        for (int at = 0; at < text.Length;)
        {
            char unit = text[at];
            if (unit < 0x80)
            {
                spelled[length++] = s_characters[unit];
                at++;
                continue;
            }

            int count = new Rune(CodePoints.At(text, at, out int units)).EncodeToUtf8(bytes);
            foreach (byte value in bytes[..count])
            {
                spelled[length++] = s_characters[value];
            }

            at += units;
        }

        return length;
    }

    private static char[] Characters()
    {
        char[] characters = new char[256];
        int next = 256;
        for (int i = 0; i < 256; i++)
        {
            characters[i] = i is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)i : (char)next++;
        }

        return characters;
    }

    private static short[] Bytes()
    {
        short[] bytes = new short[s_characters.Max() + 1];
        bytes.AsSpan().Fill(-1);
        for (int i = 0; i < 256; i++)
        {
            bytes[s_characters[i]] = (short)i;
        }

        return bytes;
    }
}
