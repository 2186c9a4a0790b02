using System.Globalization;

namespace Dataflow.Text.Tokenizers;

/// <summary>What the patterns of published tokenizers tell apart, as bits.</summary>
[Flags]
internal enum CharacterKind : ushort
{
    /// <summary>Anything else.</summary>
    Other = 0,

    /// <summary>\p{L}.</summary>
    Letter = 1,

    /// <summary>\p{N}.</summary>
    Number = 2,

    /// <summary>\s.</summary>
    Space = 4,

    /// <summary>\r or \n.</summary>
    LineEnd = 8,

    /// <summary>What a word in capitals is made of: capitals, and letters and marks without case.</summary>
    Upper = 16,

    /// <summary>What a word in small letters is made of: these, and letters and marks without case.</summary>
    Lower = 32,

    /// <summary>\p{M}.</summary>
    Mark = 64,

    /// <summary>\p{P} or \p{S}.</summary>
    Sign = 128,

    /// <summary>The common ideographs, and kana with what stands among them.</summary>
    HanKana = 256,
}

/// <summary>The kinds of characters, by a table.</summary>
internal static class CharacterKinds
{
    private static readonly Lazy<CharacterKind[]> s_table = new(() => [.. Enumerable.Range(0, 0x10000).Select(Make)]);

    /// <summary>The kinds of all characters of the basic plane.</summary>
    public static CharacterKind[] Table => s_table.Value;

    /// <summary>The kind of the code point that begins at a place, and how many UTF-16 units it takes.</summary>
    public static CharacterKind At(ReadOnlySpan<char> text, int at, CharacterKind[] table, out int length)
    {
        char unit = text[at];
        if (!char.IsHighSurrogate(unit))
        {
            length = 1;
            return table[unit];
        }

        return Make(CodePoints.At(text, at, out length));
    }

    private static CharacterKind Make(int codePoint)
    {
        var category = CodePoints.Category(codePoint);
        var kind = category switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharacterKind.Letter | CharacterKind.Upper,
            UnicodeCategory.LowercaseLetter => CharacterKind.Letter | CharacterKind.Lower,
            UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter =>
                CharacterKind.Letter | CharacterKind.Upper | CharacterKind.Lower,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark =>
                CharacterKind.Upper | CharacterKind.Lower | CharacterKind.Mark,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterKind.Number,
            >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherSymbol => CharacterKind.Sign,
            _ => CharacterKind.Other,
        };
        return kind | (CodePoints.IsWhiteSpace(codePoint) ? CharacterKind.Space : 0)
            | (codePoint is '\r' or '\n' ? CharacterKind.LineEnd : 0)
            | (codePoint is >= 0x3040 and <= 0x30FF or >= 0x4E00 and <= 0x9FA5 ? CharacterKind.HanKana : 0);
    }
}
