using System.Collections.Concurrent;
using System.Globalization;

namespace Dataflow.Text.Tokenizers;

/// <summary>The named classes of patterns, as Oniguruma has them.</summary>
internal static class PatternClasses
{
    private static readonly ConcurrentDictionary<string, CodePointSet> s_made = new();

    private static readonly Dictionary<string, UnicodeCategory[]> s_categories = new(StringComparer.OrdinalIgnoreCase)
    {
        ["L"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter,
            UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter],
        ["Lu"] = [UnicodeCategory.UppercaseLetter],
        ["Ll"] = [UnicodeCategory.LowercaseLetter],
        ["Lt"] = [UnicodeCategory.TitlecaseLetter],
        ["LC"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter],
        ["Lm"] = [UnicodeCategory.ModifierLetter],
        ["Lo"] = [UnicodeCategory.OtherLetter],
        ["M"] = [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark],
        ["Mn"] = [UnicodeCategory.NonSpacingMark],
        ["Mc"] = [UnicodeCategory.SpacingCombiningMark],
        ["Me"] = [UnicodeCategory.EnclosingMark],
        ["N"] = [UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber],
        ["Nd"] = [UnicodeCategory.DecimalDigitNumber],
        ["Nl"] = [UnicodeCategory.LetterNumber],
        ["No"] = [UnicodeCategory.OtherNumber],
        ["P"] = [UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation,
            UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation,
            UnicodeCategory.OtherPunctuation],
        ["Pc"] = [UnicodeCategory.ConnectorPunctuation],
        ["Pd"] = [UnicodeCategory.DashPunctuation],
        ["Ps"] = [UnicodeCategory.OpenPunctuation],
        ["Pe"] = [UnicodeCategory.ClosePunctuation],
        ["Pi"] = [UnicodeCategory.InitialQuotePunctuation],
        ["Pf"] = [UnicodeCategory.FinalQuotePunctuation],
        ["Po"] = [UnicodeCategory.OtherPunctuation],
        ["S"] = [UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol],
        ["Sm"] = [UnicodeCategory.MathSymbol],
        ["Sc"] = [UnicodeCategory.CurrencySymbol],
        ["Sk"] = [UnicodeCategory.ModifierSymbol],
        ["So"] = [UnicodeCategory.OtherSymbol],
        ["Z"] = [UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator],
        ["Zs"] = [UnicodeCategory.SpaceSeparator],
        ["Zl"] = [UnicodeCategory.LineSeparator],
        ["Zp"] = [UnicodeCategory.ParagraphSeparator],
        ["C"] = [UnicodeCategory.Control, UnicodeCategory.Format, UnicodeCategory.Surrogate, UnicodeCategory.PrivateUse,
            UnicodeCategory.OtherNotAssigned],
        ["Cc"] = [UnicodeCategory.Control],
        ["Cf"] = [UnicodeCategory.Format],
        ["Co"] = [UnicodeCategory.PrivateUse],
        ["Cn"] = [UnicodeCategory.OtherNotAssigned],
    };

    private static readonly Dictionary<string, string> s_longNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L", ["UppercaseLetter"] = "Lu", ["LowercaseLetter"] = "Ll", ["TitlecaseLetter"] = "Lt", ["ModifierLetter"] = "Lm",
        ["OtherLetter"] = "Lo", ["Mark"] = "M", ["NonspacingMark"] = "Mn", ["SpacingMark"] = "Mc", ["EnclosingMark"] = "Me",
        ["Number"] = "N", ["DecimalNumber"] = "Nd", ["LetterNumber"] = "Nl", ["OtherNumber"] = "No", ["Punctuation"] = "P",
        ["Symbol"] = "S", ["MathSymbol"] = "Sm", ["CurrencySymbol"] = "Sc", ["ModifierSymbol"] = "Sk", ["OtherSymbol"] = "So",
        ["Separator"] = "Z", ["SpaceSeparator"] = "Zs", ["LineSeparator"] = "Zl", ["ParagraphSeparator"] = "Zp", ["Other"] = "C",
        ["Control"] = "Cc", ["Format"] = "Cf", ["Unassigned"] = "Cn", ["PrivateUse"] = "Co",
        ["ConnectorPunctuation"] = "Pc", ["DashPunctuation"] = "Pd", ["OpenPunctuation"] = "Ps", ["ClosePunctuation"] = "Pe",
        ["InitialPunctuation"] = "Pi", ["FinalPunctuation"] = "Pf", ["OtherPunctuation"] = "Po",
    };

    // The script Han of Unicode 16.
    private static readonly (int First, int Last)[] s_han =
    [
        (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B),
        (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3), (0x16FF0, 0x16FF1),
        (0x20000, 0x2A6DF), (0x2A700, 0x2B739), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1), (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D),
        (0x2F800, 0x2FA1D), (0x30000, 0x3134A), (0x31350, 0x323AF),
    ];

    /// <summary>\s: what separates words and lines.</summary>
    public static CodePointSet Space => s_made.GetOrAdd("\\s", _ => CodePointSet.Where(CodePoints.IsWhiteSpace));

    /// <summary>\d: decimal digits of all scripts.</summary>
    public static CodePointSet Digit => s_made.GetOrAdd("\\d", _ => CodePointSet.Of(UnicodeCategory.DecimalDigitNumber));

    /// <summary>\w in a class, and \p{Word}: as Rust's, without the joiners.</summary>
    public static CodePointSet WordInClass =>
        s_made.GetOrAdd("[\\w]", _ => CodePointSet.Where(c => CodePoints.IsWord(c) && c is not (0x200C or 0x200D)));

    /// <summary>
    /// \w by itself: with the numbers of Latin-1 that are no digits, which Oniguruma's table of that has as letters of words.
    /// </summary>
    public static CodePointSet Word => s_made.GetOrAdd(
        "\\w", _ => CodePointSet.Where(c => WordInClass[c] || c is 0xB2 or 0xB3 or 0xB9 or >= 0xBC and <= 0xBE));

    /// <summary>\h: hexadecimal digits of ASCII.</summary>
    public static CodePointSet Hexadecimal =>
        s_made.GetOrAdd("\\h", _ => CodePointSet.Where(c => c < 128 && char.IsAsciiHexDigit((char)c)));

    /// <summary>A dot: all but the line feed.</summary>
    public static CodePointSet NoLineFeed => s_made.GetOrAdd(".", _ => CodePointSet.Where(c => c != '\n'));

    /// <summary>Everything.</summary>
    public static CodePointSet All => s_made.GetOrAdd("all", _ => new CodePointSet().Complement());

    /// <summary>A class by its name in \p{...}; null for one that is not known here.</summary>
    public static CodePointSet? Named(string name)
    {
        string plain = string.Concat(name.Where(c => c is not (' ' or '_' or '-')));
        plain = s_longNames.GetValueOrDefault(plain, plain);
        return s_categories.TryGetValue(plain, out var categories)
            ? s_made.GetOrAdd(plain.ToUpperInvariant(), _ => CodePointSet.Of(categories))
            : plain.ToUpperInvariant() switch
            {
                "HAN" => s_made.GetOrAdd("han", _ => CodePointSet.Where(c => Array.Exists(s_han, r => c >= r.First && c <= r.Last))),
                "ANY" => All,
                "SPACE" or "WHITESPACE" => Space,
                "WORD" => WordInClass,
                "DIGIT" => Digit,
                _ => null,
            };
    }
}
