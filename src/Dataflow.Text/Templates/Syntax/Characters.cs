using System.Globalization;
using System.Text;

namespace Dataflow.Text.Templates.Syntax;

/// <summary>Which characters are white space and which make names, as Python counts them.</summary>
internal static class Characters
{
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static bool IsSpace(Rune rune) => rune.IsBmp && IsSpace((char)rune.Value);

    /// <summary>What a name of the lexer is made of; whether the whole is a name is asked afterwards (<see
    /// cref="IsIdentifier"/>).</summary>
    public static bool IsNamePart(Rune rune) => rune.Value == '_' || IsAlphanumeric(rune) || IsContinue(rune);

    public static bool IsIdentifier(string text)
    {
        bool first = true;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!(IsStart(rune) || (!first && IsContinue(rune)))) return false;
            first = false;
        }
        return !first;
    }

    public static bool IsAlphabetic(Rune rune) => Rune.GetUnicodeCategory(rune) <= UnicodeCategory.OtherLetter;

    public static bool IsDecimal(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(Rune rune) => IsDecimal(rune) || CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) >= 0;

    public static bool IsNumeric(Rune rune) =>
        IsDigit(rune) || CharUnicodeInfo.GetNumericValue(rune.ToString(), 0) is not -1.0 || IsNumericIdeograph(rune.Value);

    public static bool IsAlphanumeric(Rune rune) => IsAlphabetic(rune) || (rune.Value > 0x7f ? IsNumeric(rune) : IsDecimal(rune));

    private static bool IsStart(Rune rune) =>
        rune.Value == '_' || IsAlphabetic(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.LetterNumber
            || rune.Value is 0x2118 or 0x212e;

    private static bool IsContinue(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark
        or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation
        || rune.Value is 0xb7 or 0x387 or (>= 0x1369 and <= 0x1371) or 0x19da;

    // Ideographs that stand for numbers: letters by category.
    private static bool IsNumericIdeograph(int value) =>
        value is 0x3405 or 0x3483 or 0x382a or 0x3b4d or 0x4e00 or 0x4e03 or 0x4e07 or 0x4e09
        or 0x4e5d or 0x4e8c or 0x4e94 or 0x4e96 or 0x4ebf or 0x4ec0 or 0x4edf or 0x4ee8 or 0x4f0d or 0x4f70 or 0x5104 or 0x5146 or 0x5169
        or 0x516b or 0x516d or 0x5341 or 0x5343 or 0x5344 or 0x5345 or 0x534c or 0x53c1 or 0x53c2 or 0x53c3 or 0x53c4 or 0x56db or 0x58f1
        or 0x58f9 or 0x5e7a or 0x5efe or 0x5eff or 0x5f0c or 0x5f0d or 0x5f0e or 0x5f10 or 0x62fe or 0x634c or 0x67d2 or 0x6f06 or 0x7396
        or 0x767e or 0x8086 or 0x842c or 0x8cae or 0x8cb3 or 0x8d30 or 0x9621 or 0x9646 or 0x964c or 0x9678 or 0x96f6;
}
