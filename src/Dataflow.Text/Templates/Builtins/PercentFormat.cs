using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Python's format % values.</summary>
internal sealed class PercentFormat
{
    private readonly string format;
    private readonly object? values;
    private readonly object?[]? sequence;
    private readonly bool escape;
    private readonly StringBuilder text = new();
    private int at;
    private int taken;
    private bool byName;

    private PercentFormat(string format, object? values, bool escape)
    {
        this.format = format;
        this.values = values;
        this.escape = escape;
        sequence = (values as TupleValue)?.Items;
    }

    public static string Apply(string format, object? values, bool escape = false) => new PercentFormat(format, values, escape).Run();

    private string Run()
    {
        while (at < format.Length)
        {
            int percent = format.IndexOf('%', at);
            if (percent < 0) percent = format.Length;
            text.Append(format, at, percent - at);
            at = percent + 1;
            if (percent < format.Length) Directive();
            Budget.Output(0, text.Length / 64);
        }
        bool isMapping = values is not
            (null or bool or long or double or BigInteger or string or Markup or TupleValue or NamespaceValue or Callable);
        if (!byName && !isMapping
            && taken < (sequence?.Length ?? 1)) throw Errors.Type("not all arguments converted during string formatting");
        Budget.Text(text.Length);
        return text.ToString();
    }

    private void Directive()
    {
        object? named = null;
        bool hasName = false;
        if (Peek() == '(')
        {
            named = Named();
            hasName = true;
        }
        string flags = "";
        while (Peek() is '-' or '+' or ' ' or '#' or '0') flags += format[at++];
        long width = Number(out bool starWidth) ?? 0;
        if (starWidth && width < 0)
        {
            flags += '-';
            width = -width;
        }
        long? precision = null;
        if (Peek() == '.')
        {
            at++;
            precision = Math.Max(0, Number(out _) ?? 0);
        }
        if (Peek() is 'h' or 'l' or 'L') at++;
        if (at >= format.Length) throw Errors.Value("incomplete format");
        char code = format[at++];
        if (code == '%')
        {
            text.Append('%');
            return;
        }
        Budget.Text(width);
        Budget.Text(precision ?? 0);
        object? value = hasName ? named : Next();
        (string sign, string body) = Convert(code, value, flags, precision);
        Pad(sign, body, flags, (int)width, code is not ('s' or 'r' or 'a' or 'c'));
    }

    private char Peek() => at < format.Length ? format[at] : '\0';

    private object? Named()
    {
        int depth = 1, start = ++at;
        while (at < format.Length && depth > 0) depth += format[at++] switch { '(' => 1, ')' => -1, _ => 0 };
        if (depth > 0) throw Errors.Value("incomplete format key");
        string key = format[start..(at - 1)];
        if (values is null or bool or long or double or BigInteger or string or Markup
            or TupleValue) throw Errors.Type("format requires a mapping");
        byName = true;
        if (values is not DictValue dict) throw Errors.Type($"{TypeNames.Of(values)} indices must be integers or slices, not str");
        return dict.TryGetValue(key, out object? value) ? value
            : throw new TemplateException(TemplateErrorKind.Key, Representation.Repr(key));
    }

    private long? Number(out bool isStar)
    {
        isStar = Peek() == '*';
        if (isStar)
        {
            at++;
            object? value = Next();
            return value is long or bool ? Numbers.ToIndex(value) : throw Errors.Type("* wants int");
        }
        if (!char.IsAsciiDigit(Peek())) return null;
        long number = 0;
        while (char.IsAsciiDigit(Peek()))
        {
            number = number * 10 + format[at++] - '0';
            if (number > int.MaxValue) throw Errors.Value("width too big");
        }
        return number;
    }

    private object? Next()
    {
        if (byName) throw Errors.Type("not enough arguments for format string");
        if (taken >= (sequence?.Length ?? 1)) throw Errors.Type("not enough arguments for format string");
        return sequence is null ? values is var single && taken++ == 0 ? single : null : sequence[taken++];
    }

    private (string Sign, string Body) Convert(char code, object? value, string flags, long? precision)
    {
        switch (code)
        {
            case 's' or 'r' or 'a':
                string shown = code == 's' ? Representation.Str(value) : code == 'r' ? Representation.Repr(value)
                    : Ascii(Representation.Repr(value));
                if (escape) shown = value is Markup && code == 's' ? shown : Escaping.EscapeText(shown);
                return ("", precision is { } most && most < CodePoints.Count(shown) ? shown[..CodePoints.Offset(shown, (int)most)] : shown);
            case 'c':
                if (Equality.Text(value) is { } single && CodePoints.Count(single) == 1) return ("", single);
                if (!Numbers.IsInteger(value, out BigInteger point)) throw Errors.Type("%c requires int or char");
                if (point < 0 || point > 0x10ffff) throw Errors.Overflow("%c arg not in range(0x110000)");
                return ("", Rune.IsValid((int)point) ? new Rune((int)point).ToString() : ((char)(int)point).ToString());
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                return Integer(code, value, flags, precision);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                if (!Numbers.IsNumber(value)) throw value is Undefined u ? u.Fault()
                    : Errors.Type($"must be real number, not {TypeNames.Of(value)}");
                double number = Numbers.ToDouble(value);
                string body = NumberText.Float(Math.Abs(number), code, (int)(precision ?? 6), flags.Contains('#'));
                return (SignOf(double.IsNegative(number) && !double.IsNaN(number), flags), body);
            default:
                throw Errors.Value($"unsupported format character '{code}' (0x{(int)code:x}) at index {at - 1}");
        }
    }

    private static (string Sign, string Body) Integer(char code, object? value, string flags, long? precision)
    {
        bool isDecimal = code is 'd' or 'i' or 'u';
        if (value is Undefined undefined) throw undefined.Fault();
        if (isDecimal && value is double d) value = Numbers.Truncate(d);
        if (!Numbers.IsInteger(value, out BigInteger integer))
            throw Errors.Type(isDecimal ? $"%{code} format: a real number is required, not {TypeNames.Of(value)}"
                : $"%{code} format: an integer is required, not {TypeNames.Of(value)}");
        string digits = NumberText.Integer(BigInteger.Abs(integer), code is 'o' ? 8 : isDecimal ? 10 : 16);
        if (precision is { } least) digits = digits.PadLeft((int)least, '0');
        if (code == 'X') digits = digits.ToUpperInvariant();
        string prefix = flags.Contains('#') && !isDecimal ? code == 'o' ? "0o" : "0" + code : "";
        return (SignOf(integer.Sign < 0, flags) + prefix, digits);
    }

    private static string SignOf(bool negative, string flags) =>
        negative ? "-" : flags.Contains('+') ? "+" : flags.Contains(' ') ? " " : "";

    private void Pad(string sign, string body, string flags, int width, bool isNumber)
    {
        int missing = Math.Max(0, width - sign.Length - CodePoints.Count(body));
        if (flags.Contains('-')) text.Append(sign).Append(body).Append(' ', missing);
        else if (isNumber && flags.Contains('0')) text.Append(sign).Append('0', missing).Append(body);
        else text.Append(' ', missing).Append(sign).Append(body);
    }

    /// <summary>A representation with escapes for all that is not ASCII.</summary>
    public static string Ascii(string shown)
    {
        StringBuilder ascii = new();
        foreach (Rune rune in shown.EnumerateRunes())
            ascii.Append(rune.Value switch
            {
                < 0x80 => ((char)rune.Value).ToString(),
                <= 0xff => $"\\x{rune.Value:x2}",
                <= 0xffff => $"\\u{rune.Value:x4}",
                _ => $"\\U{rune.Value:x8}",
            });
        return ascii.ToString();
    }
}
