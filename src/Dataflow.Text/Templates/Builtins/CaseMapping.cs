using System.Globalization;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Upper, lower and title case with all that Unicode says of them: one character may become several.</summary>
internal static class CaseMapping
{
    public static string Upper(string text) => Map(text, (rune, _, _) => UpperOf(rune));

    public static string Lower(string text) => Map(text, LowerOf);

    public static string Fold(string text) => Map(text, (rune, _, _) => FoldOf(rune));

    public static string Swap(string text) =>
        Map(text, (rune, runes, at) => IsUpper(rune) ? LowerOf(rune, runes, at) : IsLower(rune) ? UpperOf(rune) : rune.ToString());

    public static string Capitalize(string text) => Map(text, (rune, runes, at) => at == 0 ? TitleOf(rune) : LowerOf(rune, runes, at));

    public static string Title(string text) =>
        Map(text, (rune, runes, at) => at > 0 && IsCased(runes[at - 1]) ? LowerOf(rune, runes, at) : TitleOf(rune));

    public static bool IsLower(string text)
    {
        bool cased = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsUpper(rune) || IsTitle(rune)) return false;
            cased |= IsLower(rune);
        }
        return cased;
    }

    public static bool IsUpper(string text)
    {
        bool cased = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsLower(rune) || IsTitle(rune)) return false;
            cased |= IsUpper(rune);
        }
        return cased;
    }

    public static bool IsTitle(string text)
    {
        bool cased = false, before = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsUpper(rune) || IsTitle(rune))
            {
                if (before) return false;
                before = cased = true;
            }
            else if (IsLower(rune))
            {
                if (!before) return false;
            }
            else before = false;
        }
        return cased;
    }

    private static string Map(string text, Func<Rune, Rune[], int, string> map)
    {
        Budget.Text(text.Length * 8L);
        Rune[] runes = [.. text.EnumerateRunes()];
        StringBuilder mapped = new(text.Length);
        for (int i = 0; i < runes.Length; i++) mapped.Append(map(runes[i], runes, i));
        return mapped.ToString();
    }

    private static string UpperOf(Rune rune) =>
        CaseTables.Upper.TryGetValue(rune, out string? upper) ? upper : Rune.ToUpperInvariant(rune).ToString();

    private static string TitleOf(Rune rune) => rune.Value is >= 0x10d0 and <= 0x10ff ? rune.ToString()
        : CaseTables.Title.TryGetValue(rune, out string? title) ? title : UpperOf(rune);

    private static string LowerOf(Rune rune, Rune[] runes, int at)
    {
        // A capital sigma at the end of a word becomes another small one than elsewhere.
        if (rune.Value == 0x3a3) return EndsWord(runes, at) ? "\u03c2" : "\u03c3";
        return CaseTables.Lower.TryGetValue(rune, out string? lower) ? lower : Rune.ToLowerInvariant(rune).ToString();
    }

    private static string FoldOf(Rune rune)
    {
        if (rune.Value is (>= 0x13a0 and <= 0x13fd) or (>= 0xab70 and <= 0xabbf)) return UpperOf(rune);
        if (CaseTables.Fold.TryGetValue(rune, out string? fold)) return fold;
        StringBuilder folded = new();
        foreach (Rune upper in UpperOf(rune).EnumerateRunes()) folded.Append(LowerOf(upper, [upper], 0));
        return folded.ToString();
    }

    private static bool EndsWord(Rune[] runes, int at)
    {
        int before = at - 1, after = at + 1;
        while (before >= 0 && IsIgnorable(runes[before])) before--;
        if (before < 0 || !IsCased(runes[before])) return false;
        while (after < runes.Length && IsIgnorable(runes[after])) after++;
        return after == runes.Length || !IsCased(runes[after]);
    }

    private static bool IsIgnorable(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
        || rune.Value is '\'' or '.' or ':' or 0xb7 or 0x387 or 0x55f or 0x5f4 or 0x2018 or 0x2019 or 0x2024 or 0x2027;

    private static bool IsCased(Rune rune) => IsUpper(rune) || IsLower(rune) || IsTitle(rune);

    private static bool IsTitle(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;

    private static bool IsUpper(Rune rune) =>
        Rune.GetUnicodeCategory(rune) == UnicodeCategory.UppercaseLetter || rune.Value is (>= 0x2160 and <= 0x216f)
        or (>= 0x24b6 and <= 0x24cf) or (>= 0x1f130 and <= 0x1f149) or (>= 0x1f150 and <= 0x1f169) or (>= 0x1f170 and <= 0x1f189);

    private static bool IsLower(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.LowercaseLetter || rune.Value is 0xaa or 0xba
        or (>= 0x2b0 and <= 0x2b8) or 0x2c0 or 0x2c1 or (>= 0x2e0 and <= 0x2e4) or 0x345 or 0x37a or (>= 0x1d2c and <= 0x1d6a) or 0x1d78
        or (>= 0x1d9b and <= 0x1dbf) or 0x2071 or 0x207f or (>= 0x2090 and <= 0x209c) or (>= 0x2170 and <= 0x217f)
            or (>= 0x24d0 and <= 0x24e9)
        or 0x2c7c or 0x2c7d or 0xa69c or 0xa69d or 0xa770 or 0xa7f8 or 0xa7f9 or (>= 0xab5c and <= 0xab5f);

    /// <summary>Text as sorting without regard to case compares it.</summary>
    public static object? WithoutCase(object? value) => Values.Equality.Text(value) is { } text ? Lower(text) : value;

    public static bool IsWordCharacter(Rune rune) => rune.Value == '_' || Characters.IsAlphanumeric(rune);
}
