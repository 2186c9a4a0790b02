using System.Globalization;
using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Magnitudes of numbers as the format codes of Python write them.</summary>
internal static class NumberText
{
    /// <summary>A magnitude by one of e, f, g, n or % (or their capitals).</summary>
    public static string Float(double magnitude, char code, int precision, bool alternate)
    {
        if (FloatText.Special(magnitude) is { } special) return char.IsUpper(code) ? special.ToUpperInvariant() : special;
        switch (char.ToLowerInvariant(code))
        {
            case '%':
                return Float(magnitude * 100, 'f', precision, alternate) + "%";
            case 'f':
                string text = FloatText.Fixed(magnitude, precision);
                return alternate && precision == 0 ? text + "." : text;
            case 'e':
                (string digits, int exponent) = FloatText.Rounded(magnitude, precision + 1);
                string scientific = FloatText.WithExponent(digits, exponent);
                if (alternate && precision == 0) scientific = scientific.Insert(1, ".");
                return code == 'E' ? scientific.ToUpperInvariant() : scientific;
            default:
                string general = General(magnitude, Math.Max(1, precision), alternate);
                return code == 'G' ? general.ToUpperInvariant() : general;
        }
    }

    private static string General(double magnitude, int precision, bool alternate)
    {
        (string digits, int exponent) = FloatText.Rounded(magnitude, precision);
        if (!alternate)
        {
            digits = digits.TrimEnd('0');
            if (digits.Length == 0) return "0";
            return FloatText.Layout(digits, exponent, precision, alwaysPoint: false);
        }
        string text = FloatText.Layout(digits, exponent, precision, alwaysPoint: false);
        return text.Contains('.', StringComparison.Ordinal) ? text
            : text.Contains('e', StringComparison.Ordinal) ? text.Insert(1, ".") : text + ".";
    }

    /// <summary>A magnitude in base 2, 8, 10 or 16, without a prefix.</summary>
    public static string Integer(BigInteger magnitude, int radix)
    {
        if (radix == 10) return Representation.Integer(magnitude);
        Budget.Text((long)magnitude.GetBitLength());
        if (radix == 16) return Trimmed(magnitude.ToString("x", CultureInfo.InvariantCulture));
        if (radix == 2) return Trimmed(magnitude.ToString("b", CultureInfo.InvariantCulture));
        StringBuilder octal = new();
        for (; magnitude > 7; magnitude >>= 3) octal.Insert(0, (char)('0' + (int)(magnitude & 7)));
        return octal.Insert(0, (char)('0' + (int)magnitude)).ToString();
    }

    private static string Trimmed(string digits)
    {
        string trimmed = digits.TrimStart('0');
        return trimmed.Length == 0 ? "0" : trimmed;
    }
}
