using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Python's format(value, spec).</summary>
internal sealed class FormatSpec
{
    private readonly string spec;
    private string fill = " ";
    private char align;
    private char sign = '-';
    private bool zeroNegative;
    private bool alternate;
    private int width = -1;
    private char grouping;
    private int precision = -1;
    private char code;

    private FormatSpec(string spec) => this.spec = spec;

    public static string Apply(object? value, string spec)
    {
        if (spec.Length == 0) return Representation.Str(value);
        if (value is not (string or Markup or bool or long or BigInteger or double))
            throw Errors.Type($"unsupported format string passed to {TypeNames.Of(value)}.__format__");
        FormatSpec format = new(spec);
        format.Parse();
        return value switch
        {
            string or Markup => format.Text(Equality.Text(value)!),
            double d => format.Float(d),
            _ => format.Integer(value),
        };
    }

    private void Parse()
    {
        int at = 0;
        int fillLength = spec.Length > 1 && char.IsHighSurrogate(spec[0]) ? 2 : 1;
        if (spec.Length > fillLength && spec[fillLength] is '<' or '>' or '=' or '^')
        {
            fill = spec[..fillLength];
            align = spec[fillLength];
            at = fillLength + 1;
        }
        else if (spec[0] is '<' or '>' or '=' or '^') align = spec[at++];
        if (at < spec.Length && spec[at] is '+' or '-' or ' ') sign = spec[at++];
        if (at < spec.Length && spec[at] == 'z') zeroNegative = at++ >= 0;
        if (at < spec.Length && spec[at] == '#') alternate = at++ >= 0;
        if (at < spec.Length && spec[at] == '0')
        {
            if (align == '\0')
            {
                fill = "0";
                align = '=';
            }
            at++;
        }
        width = Digits(ref at);
        if (at < spec.Length && spec[at] is ',' or '_') grouping = spec[at++];
        if (at < spec.Length && spec[at] == '.')
        {
            at++;
            precision = Digits(ref at);
            if (precision < 0) throw Errors.Value("Format specifier missing precision");
        }
        if (at < spec.Length) code = spec[at++];
        if (at < spec.Length) throw Errors.Value("Invalid format specifier");
        Budget.Text(Math.Max(width, precision));
    }

    private int Digits(ref int at)
    {
        int start = at;
        long value = 0;
        for (; at < spec.Length && char.IsAsciiDigit(spec[at]); at++)
        {
            value = value * 10 + spec[at] - '0';
            if (value > int.MaxValue) throw Errors.Value("Too many decimal digits in format string");
        }
        return at > start ? (int)value : -1;
    }

    private string Text(string value)
    {
        if (code is not ('\0' or 's')) throw Unknown("str");
        if (sign != '-') throw Errors.Value("Sign not allowed in string format specifier");
        if (alternate) throw Errors.Value("Alternate form (#) not allowed in string format specifier");
        if (grouping != '\0') throw Errors.Value($"Cannot specify '{grouping}' with 's'.");
        if (align == '=')
        {
            // A zero before the width means to fill with zeros at the end, for text.
            if (fill != "0") throw Errors.Value("'=' alignment not allowed in string format specifier");
            align = '<';
        }
        if (precision >= 0 && precision < CodePoints.Count(value)) value = value[..CodePoints.Offset(value, precision)];
        return Pad("", value, '<');
    }

    private string Integer(object? value)
    {
        Numbers.IsInteger(value, out BigInteger integer);
        if (code is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%') return Float(Numbers.ToDouble(value));
        if (precision >= 0) throw Errors.Value("Precision not allowed in integer format specifier");
        if (code == 'c')
            return Rune.IsValid((int)integer) ? Pad("", new Rune((int)integer).ToString(), '<')
                : throw Errors.Overflow("%c arg not in range(0x110000)");
        if (code is not ('\0' or 'd' or 'n' or 'b' or 'o' or 'x' or 'X')) throw Unknown("int");
        if (grouping == ',' && code is 'b' or 'o' or 'x' or 'X' or 'n') throw Errors.Value($"Cannot specify ',' with '{code}'.");
        int radix = code switch { 'b' => 2, 'o' => 8, 'x' or 'X' => 16, _ => 10 };
        string digits = NumberText.Integer(BigInteger.Abs(integer), radix);
        string prefix = alternate && radix != 10 ? "0" + code : "";
        if (code == 'X') digits = digits.ToUpperInvariant();
        string signed = SignOf(integer.Sign < 0) + prefix;
        return Pad(signed, Grouped(digits, signed.Length, radix == 10 ? 3 : 4), '>');
    }

    private string Float(double value)
    {
        if (code is not ('\0' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or 'n' or '%')) throw Unknown("float");
        double magnitude = Math.Abs(value);
        string body;
        if (FloatText.Special(magnitude) is { } special) body = char.IsUpper(code) ? special.ToUpperInvariant() : special;
        else if (code == '\0' && precision < 0) body = FloatText.Repr(magnitude);
        else if (code == '\0')
        {
            (string digits, int exponent) = FloatText.Rounded(magnitude, Math.Max(1, precision));
            if (!alternate) digits = digits.TrimEnd('0');
            body = FloatText.Layout(digits.Length == 0 ? "0" : digits, exponent, Math.Max(1, precision) - 1, alwaysPoint: true);
        }
        else body = NumberText.Float(magnitude, code == 'n' ? 'g' : code, precision < 0 ? 6 : precision, alternate);
        bool negative = double.IsNegative(value) && !double.IsNaN(value);
        if (zeroNegative && body.All(c => c is '0' or '.')) negative = false;
        string signed = SignOf(negative);
        int point = body.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (point < 0) point = body.Length;
        string whole = double.IsFinite(value) ? Grouped(body[..point], signed.Length + body.Length - point, 3) : body[..point];
        return Pad(signed, whole + body[point..], '>');
    }

    /// <summary>Digits with separators, and zeros before them where zeros fill up.</summary>
    private string Grouped(string digits, int besides, int size)
    {
        if (grouping == '\0') return digits;
        int least = fill == "0" && align == '=' ? width - besides : 0;
        while (true)
        {
            StringBuilder text = new();
            for (int i = 0; i < digits.Length; i++)
            {
                if (i > 0 && (digits.Length - i) % size == 0) text.Append(grouping);
                text.Append(digits[i]);
            }
            if (text.Length >= least) return text.ToString();
            digits = "0" + digits;
        }
    }

    private string SignOf(bool negative) => negative ? "-" : sign is '+' or ' ' ? sign.ToString() : "";

    private string Pad(string signed, string body, char natural)
    {
        int missing = width - signed.Length - CodePoints.Count(body);
        if (missing <= 0) return signed + body;
        string Filling(int count) => Arithmetic.Repeated(fill, count);
        return (align == '\0' ? natural : align) switch
        {
            '<' => signed + body + Filling(missing),
            '>' => Filling(missing) + signed + body,
            '=' => signed + Filling(missing) + body,
            _ => Filling(missing / 2) + signed + body + Filling(missing - missing / 2),
        };
    }

    private TemplateException Unknown(string type) => Errors.Value($"Unknown format code '{code}' for object of type '{type}'");
}
