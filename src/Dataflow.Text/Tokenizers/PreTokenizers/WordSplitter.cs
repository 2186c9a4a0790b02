namespace Dataflow.Text.Tokenizers;

/// <summary>
/// What the patterns of published byte-level tokenizers have in common, without going back: contractions, words, numbers, runs of signs
/// and of white space. Every character belongs to one of them, so a text is cut into pieces without rest.
/// </summary>
internal abstract class WordSplitter : IPattern
{
    private const CharacterKind NoSigns = CharacterKind.Letter | CharacterKind.Number | CharacterKind.Space;

    /// <summary>The kinds of characters.</summary>
    protected CharacterKind[] Table { get; } = CharacterKinds.Table;

    /// <summary>
    /// The line feed is a piece of its own or ends one of signs, and the letter begins one: no kind of piece has both. White space that
    /// ends a text stays together, but here it is one character.
    /// </summary>
    public LineStartEffect AtLineStarts => LineStartEffect.Cuts;

    /// <inheritdoc/>
    public void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        if (text.Length == 0)
        {
            matches.Add(new(0, 0, false));
            return;
        }

        for (int at = 0; at < text.Length;)
        {
            int end = End(text, at);
            matches.Add(new(at, end, true));
            at = end;
        }
    }

    /// <summary>Where the piece that begins at a place ends.</summary>
    public abstract int End(ReadOnlySpan<char> text, int at);

    /// <summary>Where a run of code points ends that have a kind, so many at most.</summary>
    protected int Run(ReadOnlySpan<char> text, int at, CharacterKind kind, int most = int.MaxValue)
    {
        for (; most > 0 && at < text.Length && (CharacterKinds.At(text, at, Table, out int length) & kind) != 0; most--)
        {
            at += length;
        }

        return at;
    }

    /// <summary>Where a run ends of what is neither white space, letter nor number.</summary>
    protected int RunOfSigns(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && (CharacterKinds.At(text, at, Table, out int length) & NoSigns) == 0)
        {
            at += length;
        }

        return at;
    }

    /// <summary>Whether a code point of a kind begins at a place.</summary>
    protected bool Is(ReadOnlySpan<char> text, int at, CharacterKind kind) =>
        at < text.Length && (CharacterKinds.At(text, at, Table, out _) & kind) != 0;

    /// <summary>Whether a sign, which is neither white space, letter nor number, begins at a place.</summary>
    protected bool IsSign(ReadOnlySpan<char> text, int at) =>
        at < text.Length && (CharacterKinds.At(text, at, Table, out _) & NoSigns) == 0;

    /// <summary>Where a contraction ends ('s, 't, 're, 've, 'm, 'll, 'd); the place itself where there is none.</summary>
    protected static int Contraction(ReadOnlySpan<char> text, int at, bool anyCase)
    {
        if (at + 1 >= text.Length || text[at] != '\'')
        {
            return at;
        }

        char first = Fold(text[at + 1], anyCase);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return at + 2;
        }

        char second = at + 2 < text.Length ? Fold(text[at + 2], anyCase) : '\0';
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? at + 3 : at;
    }

    /// <summary>
    /// Where a piece of white space ends: all of it at the end of the text, else all but the last character, but one at least.
    /// </summary>
    protected int Spaces(ReadOnlySpan<char> text, int at, bool endsAtLines)
    {
        int end = Run(text, at, CharacterKind.Space);
        if (endsAtLines && text[at..end].LastIndexOfAny('\r', '\n') is var line and >= 0)
        {
            return at + line + 1;
        }

        return end == text.Length || end == at + 1 ? end : end - 1;
    }

    // Of letters in any case, the long s is an s.
    private static char Fold(char unit, bool anyCase) =>
        !anyCase ? unit : unit == '\u017F' ? 's' : char.IsAsciiLetterUpper(unit) ? (char)(unit | 0x20) : unit;
}
