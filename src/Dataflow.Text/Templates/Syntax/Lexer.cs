using System.Text;

namespace Dataflow.Text.Templates.Syntax;

/// <summary>
/// A template as tokens, one at a time: a fault of the parser that comes earlier is found before a fault of the lexer that comes later.
/// White space follows trim_blocks (a line end after a statement or comment is dropped) and lstrip_blocks (spaces before one, alone on
/// their line, are dropped), and the signs <c>-</c> and <c>+</c> at a tag.
/// </summary>
internal sealed partial class Lexer
{
    private readonly string source;
    private readonly Stack<char> open = new();
    private int at;
    private int line = 1;
    private bool lineStarts = true;

    private Lexer(string source) => this.source = source;

    public static IEnumerable<Token> Tokenize(string source) => new Lexer(Normalize(source)).Run();

    /// <summary>Line ends become line feeds, and one at the end of the file is dropped.</summary>
    public static string Normalize(string source)
    {
        string text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        return text.EndsWith('\n') ? text[..^1] : text;
    }

    private IEnumerable<Token> Run()
    {
        while (at < source.Length)
        {
            int start = NextTag(at);
            if (start < 0)
            {
                yield return new Token(TokenKind.Data, source[at..], line);
                yield break;
            }
            char kind = source[start + 1];
            if (kind == '%' && RawBegin(start) is { End: > 0 } raw)
            {
                if (TakeData(at, start, raw.Sign, isVariable: false) is { } before) yield return before;
                CountLines(source.AsSpan(start, raw.End - start));
                MoveTo(raw.End);
                if (TakeRaw() is { } body) yield return body;
                continue;
            }
            char sign = start + 2 < source.Length && source[start + 2] is '-' or '+' ? source[start + 2] : '\0';
            if (TakeData(at, start, sign, kind == '{') is { } data) yield return data;
            MoveTo(start + (sign == '\0' ? 2 : 3));
            if (kind == '#')
            {
                SkipComment();
                continue;
            }
            yield return new Token(kind == '{' ? TokenKind.VariableBegin : TokenKind.BlockBegin, source[start..at], line);
            while (at < source.Length)
            {
                if (NextInTag(kind == '{') is not { } token) continue;
                yield return token;
                if (token.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd) break;
            }
        }
    }

    private int NextTag(int from)
    {
        for (int i = source.IndexOf('{', from); i >= 0 && i + 1 < source.Length; i = source.IndexOf('{', i + 1))
            if (source[i + 1] is '{' or '%' or '#') return i;
        return -1;
    }

    private void MoveTo(int end)
    {
        lineStarts = end > at ? source[end - 1] == '\n' : lineStarts;
        at = end;
    }

    private void CountLines(ReadOnlySpan<char> text) => line += text.Count('\n');

    /// <summary>The text before a tag, without what its sign or lstrip_blocks takes away; null if nothing is left.</summary>
    private Token? TakeData(int from, int to, char sign, bool isVariable)
    {
        string text = source[from..to];
        string kept = text;
        if (sign == '-') kept = TrimEnd(text);
        else if (sign != '+' && !isVariable)
        {
            int lineStart = text.LastIndexOf('\n') + 1;
            if ((lineStart > 0 || lineStarts) && lineStart < text.Length && IsBlank(text.AsSpan(lineStart))) kept = text[..lineStart];
        }
        Token? token = kept.Length > 0 ? new Token(TokenKind.Data, kept, line) : null;
        CountLines(text);
        return token;
    }

    private static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && Characters.IsSpace(text[end - 1])) end--;
        return text[..end];
    }

    private static bool IsBlank(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
            if (!Characters.IsSpace(c)) return false;
        return true;
    }

    private int SkipSpace(int from)
    {
        while (from < source.Length && Characters.IsSpace(source[from])) from++;
        return from;
    }

    private bool Follows(int from, string text) => string.CompareOrdinal(source, from, text, 0, text.Length) == 0;

    /// <summary>The end of a tag that begins here: its mark, with what its sign or trim_blocks takes away; -1 if none begins
    /// here.</summary>
    private int TagEnd(int from, string mark, bool plus, bool trimLine)
    {
        if (plus && from < source.Length && source[from] == '+' && Follows(from + 1, mark)) return from + 3;
        if (from < source.Length && source[from] == '-' && Follows(from + 1, mark)) return SkipSpace(from + 3);
        if (!Follows(from, mark)) return -1;
        return trimLine && from + 2 < source.Length && source[from + 2] == '\n' ? from + 3 : from + 2;
    }

    private (int End, char Sign) RawBegin(int start)
    {
        int i = start + 2;
        char sign = i < source.Length && source[i] is '-' or '+' ? source[i++] : '\0';
        i = SkipSpace(i);
        if (!Follows(i, "raw")) return (-1, sign);
        i = SkipSpace(i + 3);
        return (TagEnd(i, "%}", plus: false, trimLine: false), sign);
    }

    private Token? TakeRaw()
    {
        for (int i = source.IndexOf("{%", at, StringComparison.Ordinal); i >= 0; i = source.IndexOf("{%", i + 1, StringComparison.Ordinal))
        {
            int j = i + 2;
            char sign = j < source.Length && source[j] is '-' or '+' ? source[j++] : '\0';
            j = SkipSpace(j);
            if (!Follows(j, "endraw")) continue;
            int end = TagEnd(SkipSpace(j + 6), "%}", plus: true, trimLine: true);
            if (end < 0) continue;
            Token? data = TakeData(at, i, sign, isVariable: false);
            CountLines(source.AsSpan(i, end - i));
            MoveTo(end);
            return data;
        }
        if (at >= source.Length) return null;
        throw new TemplateException(TemplateErrorKind.Syntax, "Missing end of raw directive", line);
    }

    private void SkipComment()
    {
        for (int i = at; i < source.Length; i++)
        {
            if (source[i] is not ('#' or '-' or '+')) continue;
            int end = TagEnd(i, "#}", plus: true, trimLine: true);
            if (end < 0) continue;
            CountLines(source.AsSpan(at, end - at));
            MoveTo(end);
            return;
        }
        if (at < source.Length) throw new TemplateException(TemplateErrorKind.Syntax, "Missing end of comment tag", line);
    }

    private TemplateException Fault(string message) => new(TemplateErrorKind.Syntax, message, line);

    private string CodePointAt(int index) =>
        Rune.TryGetRuneAt(source, index, out Rune rune) ? rune.ToString() : source[index].ToString();
}
