namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The places where a long text may be cut: before an ASCII letter that follows a line feed, which follows what is no white space.
/// </summary>
internal static class LineStart
{
    /// <summary>What stands for the text before such a place when what follows is encoded alone.</summary>
    public const string Context = "a\n";

    private static readonly string[] s_before =
    [
        "", "a", "Z", "\u00E9", "\u0416", "\u4E2D", "\u3042", "\u05D0", "\u01C5", "\u02B0", "7", "12345", "\u0663", "\u00BD", "\u2167",
    ];

    private static readonly string[] s_last =
    [
        "'", "'s", "can't", ".", "!?", "/", "_", "-", "(", "$", "+", "^", "\u0301", "e\u0301", "\u0940", "\u20DD", "\u203F", "\u2014",
        "\u00AB", "\u00BB", "\u20AC", "\u00A8", "\u00A9", "\u0001", "\u001F", "\u007F", "\u200B", "\u200D", "\uFEFF", "\uE000", "\uFFFF",
        "\u0378", "\U0001F600", "\U0001D518", "\U000E0041", "<|x|>", "\u2581", "\u0120",
    ];

    private static readonly string[] s_after =
        ["T", "the", "A b", "re\n", "s ", "d.", "Ll", "e\u0301", "x1", "don't", "Zz\n\n  a", "m", "\u00E9t", "\u1E9Eb"];

    private static readonly string[] s_between = ["", " ", "  ", "\n", "\n\n ", "\t", "\r\n", "\u00A0"];

    /// <summary>Whether a place of a text is one.</summary>
    public static bool Is(ReadOnlySpan<char> text, int at) =>
        at >= Context.Length && at < text.Length && char.IsAsciiLetter(text[at])
        && text[at - 1] == '\n' && !char.IsWhiteSpace(text[at - 2]);

    /// <summary>
    /// Whether a code point may stand there once a text is normalized: an ASCII letter, alone or composed with the marks that follow it.
    /// </summary>
    public static bool MayBegin(int codePoint) =>
        codePoint < 0x80 ? char.IsAsciiLetter((char)codePoint) : IsComposed(codePoint) && CodePoints.IsLetter(codePoint);

    /// <summary>Whether a text has a line feed and behind it what may stand there.</summary>
    public static bool IsWithin(string text)
    {
        for (int at = text.IndexOf('\n'); at >= 0 && at + 1 < text.Length; at = text.IndexOf('\n', at + 1))
        {
            if (MayBegin(text[at + 1]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether nothing of a text can be the line feed or the letter.</summary>
    public static bool IsFarFrom(string text) => !text.Any(c => c == '\n' || MayBegin(c));

    /// <summary>Texts before such a place and behind it, of all kinds of characters that patterns tell apart.</summary>
    public static IEnumerable<(string Before, string After)> Samples()
    {
        int turn = 0;
        foreach (string last in s_before.Concat(s_last))
        {
            foreach (string after in s_after)
            {
                string first = s_before[turn % s_before.Length] + s_between[turn / 3 % s_between.Length];
                turn++;
                yield return (last + "\n", after);
                if (last.Length > 0)
                {
                    yield return (first + last + "\n", after);
                }
            }
        }
    }

    // Latin letters with marks: Latin-1, Extended-A and -B, and Extended Additional.
    private static bool IsComposed(int codePoint) => codePoint is >= 0xC0 and <= 0x24F or >= 0x1E00 and <= 0x1EFF;
}
