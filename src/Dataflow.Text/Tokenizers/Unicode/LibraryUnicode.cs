using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Classes as the Rust library's own tables have them, which are of other versions of Unicode than those of .NET (16): marks of
/// Unicode 9, punctuation of Unicode 8, letters and numbers of Unicode 17.
/// </summary>
internal static class LibraryUnicode
{
    // What became punctuation after Unicode 8.
    private static readonly (int First, int Last)[] s_laterPunctuation =
    [
        (0x61D, 0x61D), (0x9FD, 0x9FD), (0xA76, 0xA76), (0xC77, 0xC77), (0xC84, 0xC84), (0x1B4E, 0x1B4F), (0x1B7D, 0x1B7F),
        (0x2E43, 0x2E4F), (0x2E52, 0x2E5D), (0x10D6E, 0x10D6E), (0x10EAD, 0x10EAD), (0x10F55, 0x10F59), (0x10F86, 0x10F89),
        (0x113D4, 0x113D5), (0x113D7, 0x113D8), (0x1144B, 0x1144F), (0x1145A, 0x1145B), (0x1145D, 0x1145D), (0x11660, 0x1166C),
        (0x116B9, 0x116B9), (0x1183B, 0x1183B), (0x11944, 0x11946), (0x119E2, 0x119E2), (0x11A3F, 0x11A46), (0x11A9A, 0x11A9C),
        (0x11A9E, 0x11AA2), (0x11B00, 0x11B09), (0x11BE1, 0x11BE1), (0x11C41, 0x11C45), (0x11C70, 0x11C71), (0x11EF7, 0x11EF8),
        (0x11F43, 0x11F4F), (0x11FFF, 0x11FFF), (0x12FF1, 0x12FF2), (0x16D6D, 0x16D6F), (0x16E97, 0x16E9A), (0x16FE2, 0x16FE2),
        (0x1E5FF, 0x1E5FF), (0x1E95E, 0x1E95F),
    ];

    /// <summary>M, of Unicode 9.</summary>
    public static bool IsMark(int codePoint) => NormalizationTables.Instance.IsMark(codePoint);

    /// <summary>P, of Unicode 8, and what ASCII counts as punctuation.</summary>
    public static bool IsPunctuation(int codePoint) =>
        codePoint < 128 ? char.IsPunctuation((char)codePoint) || char.IsSymbol((char)codePoint)
        : codePoint is 0x166D or 0x111C9
        || (CodePoints.Category(codePoint) is >= System.Globalization.UnicodeCategory.ConnectorPunctuation
                and <= System.Globalization.UnicodeCategory.OtherPunctuation
            && !Array.Exists(s_laterPunctuation, r => codePoint >= r.First && codePoint <= r.Last));

    /// <summary>N, of Unicode 17.</summary>
    public static bool IsNumber(int codePoint) =>
        CodePoints.IsNumber(codePoint) || codePoint is >= 0x11DE0 and <= 0x11DE9 or >= 0x16FF4 and <= 0x16FF6;

    /// <summary>The small letters of a code point, of Unicode 17.</summary>
    public static string Lower(int codePoint) => codePoint switch
    {
        0x130 => "i\u0307",
        0xA7CE or 0xA7D2 or 0xA7D4 => char.ConvertFromUtf32(codePoint + 1),
        >= 0x16EA0 and <= 0x16EB8 => char.ConvertFromUtf32(codePoint + 0x1B),
        _ => Rune.ToLowerInvariant(new Rune(codePoint)).ToString(),
    };
}
