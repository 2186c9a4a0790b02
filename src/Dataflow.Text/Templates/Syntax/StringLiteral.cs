using System.Globalization;
using System.Text;

namespace Dataflow.Text.Templates.Syntax;

/// <summary>The escapes of Python's string literals. An escape that is none stays as it is written.</summary>
internal static class StringLiteral
{
    /// <param name="body">What stands between the quotes.</param>
    /// <param name="line">The line on which the literal begins, for faults.</param>
    public static string Unescape(string body, int line)
    {
        if (!body.Contains('\\', StringComparison.Ordinal)) return body;
        StringBuilder text = new(body.Length);
        for (int i = 0; i < body.Length; i++)
        {
            char c = body[i];
            if (c != '\\')
            {
                text.Append(c);
                continue;
            }
            if (++i == body.Length) throw new TemplateException(TemplateErrorKind.Syntax, "\\ at end of string", line);
            switch (body[i])
            {
                case '\n': break;
                case '\\' or '\'' or '"': text.Append(body[i]); break;
                case 'a': text.Append('\a'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'v': text.Append('\v'); break;
                case >= '0' and <= '7': i = Octal(body, i, text); break;
                case 'x': i = Hexadecimal(body, i, 2, text, line); break;
                case 'u': i = Hexadecimal(body, i, 4, text, line); break;
                case 'U': i = Hexadecimal(body, i, 8, text, line); break;
                case 'N': i = Named(body, i, text, line); break;
                default: text.Append('\\').Append(body[i]); break;
            }
        }
        return text.ToString();
    }

    private static int Octal(string body, int at, StringBuilder text)
    {
        int value = 0, end = at;
        while (end < body.Length && end < at + 3 && body[end] is >= '0' and <= '7') value = value * 8 + body[end++] - '0';
        text.Append((char)value);
        return end - 1;
    }

    private static int Hexadecimal(string body, int at, int digits, StringBuilder text, int line)
    {
        int end = at + 1;
        long value = 0;
        while (end < body.Length && end <= at + digits && char.IsAsciiHexDigit(body[end]))
            value = value * 16 + int.Parse(body.AsSpan(end++, 1), NumberStyles.HexNumber);
        if (end != at + digits + 1)
        {
            string form = digits switch { 2 => "\\xXX", 4 => "\\uXXXX", _ => "\\UXXXXXXXX" };
            throw new TemplateException(TemplateErrorKind.Syntax, $"truncated {form} escape", line);
        }
        if (value > 0x10ffff) throw new TemplateException(TemplateErrorKind.Syntax, "illegal Unicode character", line);
        if (value is >= 0xd800 and <= 0xdfff || value <= 0xffff) text.Append((char)value);
        else text.Append(new Rune((int)value).ToString());
        return end - 1;
    }

    // Character names are a table of a megabyte: of them, those that a template could reasonably spell out are known.
    private static int Named(string body, int at, StringBuilder text, int line)
    {
        int close = at + 1 < body.Length && body[at + 1] == '{' ? body.IndexOf('}', at) : -1;
        if (close < 0) throw new TemplateException(TemplateErrorKind.Syntax, "malformed \\N character escape", line);
        string name = body[(at + 2)..close].ToUpperInvariant();
        if (!Names.TryGetValue(name, out int value))
            throw new TemplateException(TemplateErrorKind.Unsupported, $"character name {name} in \\N{{...}}: write it as \\uXXXX", line);
        text.Append(new Rune(value).ToString());
        return close;
    }

    private static readonly Dictionary<string, int> Names = new()
    {
        ["BULLET"] = 0x2022, ["SPACE"] = 0x20, ["NO-BREAK SPACE"] = 0xa0, ["EN DASH"] = 0x2013, ["EM DASH"] = 0x2014,
        ["HORIZONTAL ELLIPSIS"] = 0x2026, ["LEFT SINGLE QUOTATION MARK"] = 0x2018, ["RIGHT SINGLE QUOTATION MARK"] = 0x2019,
        ["LEFT DOUBLE QUOTATION MARK"] = 0x201c, ["RIGHT DOUBLE QUOTATION MARK"] = 0x201d, ["ZERO WIDTH SPACE"] = 0x200b,
        ["ZERO WIDTH JOINER"] = 0x200d, ["BYTE ORDER MARK"] = 0xfeff, ["LINE FEED"] = 0x0a, ["CARRIAGE RETURN"] = 0x0d,
        ["QUOTATION MARK"] = 0x22, ["APOSTROPHE"] = 0x27, ["REVERSE SOLIDUS"] = 0x5c, ["COMMA"] = 0x2c, ["FULL STOP"] = 0x2e,
        ["LOWER ONE EIGHTH BLOCK"] = 0x2581, ["FULLWIDTH VERTICAL LINE"] = 0xff5c, ["VERTICAL LINE"] = 0x7c, ["LESS-THAN SIGN"] = 0x3c,
        ["GREATER-THAN SIGN"] = 0x3e, ["MIDDLE DOT"] = 0xb7, ["CHECK MARK"] = 0x2713, ["RIGHTWARDS ARROW"] = 0x2192,
    };
}
