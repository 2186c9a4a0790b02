using System.Globalization;

namespace Dataflow.Text.Tokenizers;

/// <summary>Code points in UTF-16, and what the tables of Unicode say of each.</summary>
internal static class CodePoints
{
    /// <summary>One more than the greatest.</summary>
    public const int Count = 0x110000;

    private static readonly Lazy<byte[]> s_categories = new(Categories);

    /// <summary>The code point that begins at a place of a text, and how many UTF-16 units it takes.</summary>
    public static int At(ReadOnlySpan<char> text, int at, out int length)
    {
        char first = text[at];
        if (char.IsHighSurrogate(first) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(first, text[at + 1]);
        }

        length = 1;
        return first;
    }

    /// <summary>Where the code point before a place begins.</summary>
    public static int Before(ReadOnlySpan<char> text, int at) =>
        at >= 2 && char.IsLowSurrogate(text[at - 1]) && char.IsHighSurrogate(text[at - 2]) ? at - 2 : at - 1;

    /// <summary>Bytes of UTF-8.</summary>
    public static int Utf8Length(int codePoint) => codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;

    /// <summary>UTF-16 units.</summary>
    public static int Utf16Length(int codePoint) => codePoint < 0x10000 ? 1 : 2;

    /// <summary>How many a text has.</summary>
    public static int CountOf(ReadOnlySpan<char> text)
    {
        int count = text.Length;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && char.IsLowSurrogate(text[i + 1]))
            {
                count--;
            }
        }

        return count;
    }

    /// <summary>The general category, from a table made at first use.</summary>
    public static UnicodeCategory Category(int codePoint) => (UnicodeCategory)s_categories.Value[codePoint];

    /// <summary>L, in any form.</summary>
    public static bool IsLetter(int codePoint) => Category(codePoint) <= UnicodeCategory.OtherLetter;

    /// <summary>N: decimal, letter or other number.</summary>
    public static bool IsNumber(int codePoint) =>
        Category(codePoint) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>M: what combines with what stands before it.</summary>
    public static bool IsMark(int codePoint) =>
        Category(codePoint) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>The property White_Space.</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint);

    /// <summary>
    /// What Rust's regular expressions call \w: Alphabetic, marks, decimal digits, connectors and the two joiners. Letters that are
    /// symbols by their category (circled, squared) are alphabetic too.
    /// </summary>
    public static bool IsWord(int codePoint) =>
        IsLetter(codePoint) || IsMark(codePoint)
        || Category(codePoint) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || codePoint is >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169 or >= 0x1F170 and <= 0x1F189
            or 0x200C or 0x200D;

    private static byte[] Categories()
    {
        byte[] table = new byte[Count];
        for (int i = 0; i < Count; i++)
        {
            table[i] = (byte)CharUnicodeInfo.GetUnicodeCategory(i);
        }

        return table;
    }
}
