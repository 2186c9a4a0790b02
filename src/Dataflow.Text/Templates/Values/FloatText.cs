using System.Globalization;
using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Floating-point numbers as Python prints them: the shortest digits that read back, or a number of digits rounded half to
/// even.</summary>
internal static class FloatText
{
    public static string Repr(double value)
    {
        if (Special(value) is { } special) return special;
        (bool negative, string digits, int exponent) = Shortest(value);
        return (negative ? "-" : "") + Layout(digits, exponent, 16, alwaysPoint: true);
    }

    public static string? Special(double value) =>
        double.IsNaN(value) ? "nan" : double.IsPositiveInfinity(value) ? "inf" : double.IsNegativeInfinity(value) ? "-inf" : null;

    /// <summary>Digits with the point after so many: plain where that is short, else with an exponent of at least two digits.</summary>
    /// <param name="digits">The digits, without zeros at the end.</param>
    /// <param name="exponent">The power of ten of the first digit.</param>
    /// <param name="limit">The exponent from which the form with an exponent is taken.</param>
    /// <param name="alwaysPoint">Whether whole numbers end with .0.</param>
    public static string Layout(string digits, int exponent, int limit, bool alwaysPoint)
    {
        if (exponent < -4 || exponent >= limit) return WithExponent(digits, exponent);
        if (exponent < 0) return "0." + new string('0', -exponent - 1) + digits;
        if (digits.Length <= exponent + 1) return digits.PadRight(exponent + 1, '0') + (alwaysPoint ? ".0" : "");
        return digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    public static string WithExponent(string digits, int exponent) =>
        digits[..1] + (digits.Length > 1 ? "." + digits[1..] : "") + (exponent < 0 ? "e-" : "e+")
        + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);

    /// <summary>The magnitude with a fixed number of digits after the point.</summary>
    public static string Fixed(double magnitude, int decimals)
    {
        Budget.Text(decimals + 310L);
        (BigInteger numerator, BigInteger denominator) = Fraction(magnitude);
        string digits = Quotient(numerator * BigInteger.Pow(10, decimals), denominator).ToString(CultureInfo.InvariantCulture);
        if (decimals == 0) return digits;
        digits = digits.PadLeft(decimals + 1, '0');
        return digits[..^decimals] + "." + digits[^decimals..];
    }

    /// <summary>The magnitude as so many digits, and the power of ten of the first.</summary>
    public static (string Digits, int Exponent) Rounded(double magnitude, int count)
    {
        Budget.Text(count + 310L);
        if (magnitude == 0) return (new string('0', count), 0);
        (BigInteger numerator, BigInteger denominator) = Fraction(magnitude);
        int exponent = (int)Math.Floor(Math.Log10(magnitude));
        while (true)
        {
            int shift = count - 1 - exponent;
            BigInteger scaled = shift >= 0
                ? Quotient(numerator * BigInteger.Pow(10, shift), denominator)
                : Quotient(numerator, denominator * BigInteger.Pow(10, -shift));
            string digits = scaled.ToString(CultureInfo.InvariantCulture);
            if (digits.Length == count) return (digits, exponent);
            // The estimate was off by one, or rounding made one digit more.
            exponent += digits.Length > count ? 1 : -1;
        }
    }

    /// <summary>Rounded to so many digits after the point (before it, where negative), half to even.</summary>
    public static double Round(double value, int decimals)
    {
        if (!double.IsFinite(value) || value == 0 || decimals > 323) return value;
        if (decimals < -308) return 0 * value;
        (BigInteger numerator, BigInteger denominator) = Fraction(Math.Abs(value));
        BigInteger scaled = decimals >= 0
            ? Quotient(numerator * BigInteger.Pow(10, decimals), denominator)
            : Quotient(numerator, denominator * BigInteger.Pow(10, -decimals));
        string text = string.Create(CultureInfo.InvariantCulture, $"{scaled}E{-decimals}");
        double rounded = double.Parse(text, CultureInfo.InvariantCulture);
        if (double.IsInfinity(rounded)) throw Errors.Overflow("rounded value too large to represent");
        return double.IsNegative(value) ? -rounded : rounded;
    }

    private static (bool Negative, string Digits, int Exponent) Shortest(double value)
    {
        bool negative = double.IsNegative(value);
        if (value == 0) return (negative, "0", 0);
        string shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int e = shortest.IndexOf('E', StringComparison.Ordinal);
        string mantissa = e < 0 ? shortest : shortest[..e];
        StringBuilder digits = new();
        foreach (char c in mantissa)
            if (c != '.') digits.Append(c);
        string plain = digits.ToString().TrimStart('0').TrimEnd('0');
        int exponent = e >= 0 ? int.Parse(shortest.AsSpan(e + 1), CultureInfo.InvariantCulture) : PlainExponent(mantissa);
        return (negative, plain, exponent);
    }

    // The power of ten of the first digit that is not zero.
    private static int PlainExponent(string mantissa)
    {
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        int first = mantissa.IndexOfAny(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
        if (point < 0) point = mantissa.Length;
        return first < point ? point - first - 1 : point - first;
    }

    private static (BigInteger Numerator, BigInteger Denominator) Fraction(double magnitude)
    {
        long bits = BitConverter.DoubleToInt64Bits(magnitude);
        int exponent = (int)((bits >> 52) & 0x7ff);
        long mantissa = bits & 0xfffffffffffff;
        if (exponent > 0) mantissa |= 1L << 52;
        else exponent = 1;
        exponent -= 1075;
        return exponent >= 0 ? (new BigInteger(mantissa) << exponent, 1) : (mantissa, BigInteger.One << -exponent);
    }

    private static BigInteger Quotient(BigInteger numerator, BigInteger denominator)
    {
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger remainder);
        int half = (remainder * 2).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }
}
