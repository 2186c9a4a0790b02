using System.Buffers;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The three patterns of DeepSeek-V3, one after the other, at once: numbers of up to three digits, runs of ideographs and kana, and in
/// these and in what lies between, as if each were a text of its own, words with their marks, signs and white space.
/// </summary>
internal sealed class DeepSeekWordSplitter : WordSplitter
{
    private const int MostDigits = 3;
    private const CharacterKind Word = CharacterKind.Letter | CharacterKind.Mark;

    private static readonly SearchValues<char> s_asciiLetters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>The patterns, in their order.</summary>
    public static IReadOnlyList<string> Patterns { get; } =
    [
        @"\p{N}{1,3}",
        "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
            + @"|\s*[\r\n]+|\s+(?!\S)|\s+",
    ];

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<char> text, int at)
    {
        var kind = CharacterKinds.At(text, at, Table, out int length);
        var side = kind & CharacterKind.HanKana;
        if ((kind & CharacterKind.Number) != 0)
        {
            return Run(text, at, CharacterKind.Number, MostDigits);
        }

        if (char.IsAscii(text[at]) && (kind & CharacterKind.Sign) != 0 && at + 1 < text.Length && char.IsAsciiLetter(text[at + 1]))
        {
            int other = text[(at + 1)..].IndexOfAnyExcept(s_asciiLetters);
            return other < 0 ? text.Length : at + 1 + other;
        }

        if ((kind & Word) != 0)
        {
            return Inner(text, at + length, Word, side);
        }

        bool mayPrecede = (kind & (CharacterKind.Sign | CharacterKind.LineEnd)) == 0;
        if (mayPrecede && Inner(text, at + length, Word, side) is var word && word > at + length)
        {
            return word;
        }

        int signs = text[at] == ' ' ? at + 1 : at;
        if (Inner(text, signs, CharacterKind.Sign, side) is var end && end > signs)
        {
            return Inner(text, end, CharacterKind.LineEnd, side);
        }

        return (kind & CharacterKind.Space) != 0 ? EndOfSpaces(text, at) : EndOfRest(text, at + length, side);
    }

    // A run that ends where numbers begin, and where ideographs do or are no more.
    private int Inner(ReadOnlySpan<char> text, int at, CharacterKind kind, CharacterKind side)
    {
        while (at < text.Length
            && CharacterKinds.At(text, at, Table, out int length) is var its
            && (its & kind) != 0
            && IsWithin(its, side))
        {
            at += length;
        }

        return at;
    }

    private static bool IsWithin(CharacterKind kind, CharacterKind side) =>
        (kind & (CharacterKind.Number | CharacterKind.HanKana)) == side;

    private int EndOfSpaces(ReadOnlySpan<char> text, int at)
    {
        int end = Run(text, at, CharacterKind.Space);
        return text[at..end].LastIndexOfAny('\r', '\n') is var line and >= 0 ? at + line + 1
            : end == text.Length || end == at + 1 || Is(text, end, CharacterKind.Number | CharacterKind.HanKana) ? end
            : end - 1;
    }

    // What no pattern finds is one piece, up to what one finds: the last of it may begin a word.
    private int EndOfRest(ReadOnlySpan<char> text, int at, CharacterKind side)
    {
        while (at < text.Length
            && CharacterKinds.At(text, at, Table, out int length) is var kind
            && IsWithin(kind, side)
            && (kind & (Word | CharacterKind.Sign | CharacterKind.Space)) == 0
            && Inner(text, at + length, Word, side) == at + length)
        {
            at += length;
        }

        return at;
    }
}
