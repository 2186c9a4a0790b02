using System.Globalization;
using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Syntax;

/// <summary>What stands inside a tag.</summary>
internal sealed partial class Lexer
{
    /// <summary>The next token inside a tag; null after white space.</summary>
    private Token? NextInTag(bool isVariable)
    {
        int begin = at, beginLine = line;
        if (open.Count == 0)
        {
            int end = isVariable ? TagEnd(at, "}}", plus: false, trimLine: false) : TagEnd(at, "%}", plus: true, trimLine: true);
            if (end > 0) return Take(isVariable ? TokenKind.VariableEnd : TokenKind.BlockEnd, end, source[begin..end]);
        }
        char c = source[at];
        if (Characters.IsSpace(c))
        {
            Take(TokenKind.Data, SkipSpace(at), "");
            return null;
        }
        if (char.IsDigit(c) && Number() is { } number) return number;
        int nameEnd = NameEnd(at);
        if (nameEnd > at)
        {
            string name = source[at..nameEnd];
            if (!Characters.IsIdentifier(name)) throw Fault("Invalid character in identifier");
            return Take(TokenKind.Name, nameEnd, name);
        }
        if (c is '\'' or '"' && StringEnd(at) is > 0 and int stringEnd)
            return Take(TokenKind.String, stringEnd, StringLiteral.Unescape(source[(begin + 1)..(stringEnd - 1)], beginLine));
        foreach ((string text, TokenKind kind) in Token.Operators)
            if (Follows(at, text))
            {
                Balance(c, kind);
                return Take(kind, at + text.Length, text);
            }
        throw Fault($"unexpected char {Representation.Repr(CodePointAt(at))} at {CodePoints.Count(source.AsSpan(0, at))}");
    }

    private Token Take(TokenKind kind, int end, object value)
    {
        Token token = new(kind, value, line);
        CountLines(source.AsSpan(at, end - at));
        MoveTo(end);
        return token;
    }

    private void Balance(char c, TokenKind kind)
    {
        if (kind is TokenKind.LeftBrace) open.Push('}');
        else if (kind is TokenKind.LeftParenthesis) open.Push(')');
        else if (kind is TokenKind.LeftBracket) open.Push(']');
        else if (kind is TokenKind.RightBrace or TokenKind.RightParenthesis or TokenKind.RightBracket)
        {
            if (open.Count == 0) throw Fault($"unexpected '{c}'");
            char expected = open.Pop();
            if (expected != c) throw Fault($"unexpected '{c}', expected '{expected}'");
        }
    }

    private int NameEnd(int from)
    {
        int end = from;
        while (end < source.Length && Rune.TryGetRuneAt(source, end, out Rune rune)
            && Characters.IsNamePart(rune)) end += rune.Utf16SequenceLength;
        return end;
    }

    private int StringEnd(int from)
    {
        for (int i = from + 1; i < source.Length; i++)
        {
            if (source[i] == '\\') i++;
            else if (source[i] == source[from]) return i + 1;
        }
        return -1;
    }

    /// <summary>A number that begins here: a float if one does, else the longest integer. Null where digits begin neither.</summary>
    private Token? Number()
    {
        int end = at > 0 && source[at - 1] == '.' ? -1 : FloatEnd(at);
        if (end > 0)
            return Take(TokenKind.Float, end,
                double.Parse(source[at..end].Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture));
        end = IntegerEnd(at);
        return end < 0 ? null : Take(TokenKind.Integer, end, ParseInteger(source[at..end].Replace("_", "", StringComparison.Ordinal)));
    }

    private static object ParseInteger(string digits)
    {
        int radix = digits.Length > 1 ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 } : 10;
        return Numbers.Shrink(Numbers.ParseDigits(radix == 10 ? digits : digits[2..], radix) ?? 0);
    }

    private int FloatEnd(int from)
    {
        int end = DigitsEnd(from);
        if (end < 0) return -1;
        bool fraction = false;
        if (end < source.Length && source[end] == '.' && DigitsEnd(end + 1) is > 0 and int after)
        {
            end = after;
            fraction = true;
        }
        if (end < source.Length && source[end] is 'e' or 'E')
        {
            int exponent = end + 1 < source.Length && source[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (DigitsEnd(exponent) is > 0 and int last) return last;
        }
        return fraction ? end : -1;
    }

    private int DigitsEnd(int from)
    {
        int end = from;
        while (end < source.Length && char.IsDigit(source[end]))
        {
            end++;
            if (end + 1 < source.Length && source[end] == '_' && char.IsDigit(source[end + 1])) end++;
        }
        return end > from ? end : -1;
    }

    private int IntegerEnd(int from)
    {
        if (source[from] == '0')
        {
            Func<char, bool>? digit = from + 1 < source.Length ? char.ToLowerInvariant(source[from + 1]) switch
            {
                'b' => c => c is '0' or '1',
                'o' => c => c is >= '0' and <= '7',
                'x' => char.IsAsciiHexDigit,
                _ => null,
            } : null;
            int end = digit is null ? -1 : RunEnd(from + 2, digit);
            return end > from + 2 ? end : RunEnd(from + 1, c => c == '0');
        }
        return source[from] is >= '1' and <= '9' ? RunEnd(from + 1, char.IsDigit) : -1;
    }

    private int RunEnd(int from, Func<char, bool> digit)
    {
        int end = from;
        while (end < source.Length)
        {
            if (digit(source[end])) end++;
            else if (source[end] == '_' && end + 1 < source.Length && digit(source[end + 1])) end += 2;
            else break;
        }
        return end;
    }
}
