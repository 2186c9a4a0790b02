using System.Globalization;
using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates.Values;

/// <summary>Whole numbers of any size (small ones as long), and the reading of numbers.</summary>
internal static class Numbers
{
    /// <summary>Python prints and reads no longer whole numbers than this.</summary>
    public const int MaximumDigits = 4300;

    private const int MaximumBits = 1 << 18;

    public static object Shrink(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;

    /// <summary>A whole number that is about to be computed has at most so many bits.</summary>
    public static void CheckBits(double bits)
    {
        if (bits > MaximumBits) throw Errors.Limit("a whole number grows too large");
        Budget.Spend((long)(bits / 64));
    }

    /// <summary>A whole number or a truth value as a whole number.</summary>
    public static bool IsInteger(object? value, out BigInteger integer)
    {
        switch (value)
        {
            case long l: integer = l; return true;
            case bool b: integer = b ? 1 : 0; return true;
            case BigInteger big: integer = big; return true;
            default: integer = 0; return false;
        }
    }

    public static bool IsNumber(object? value) => value is long or double or bool or BigInteger;

    public static double ToDouble(object? value) => value switch
    {
        double d => d,
        long l => l,
        bool b => b ? 1 : 0,
        BigInteger big => BigToDouble(big),
        _ => throw Errors.Type($"must be real number, not {TypeNames.Of(value)}"),
    };

    // The conversion of the runtime cuts off; Python rounds to even.
    private static double BigToDouble(BigInteger value)
    {
        if (BigInteger.Abs(value).GetBitLength() > 1024) throw Errors.Overflow("int too large to convert to float");
        double result = double.Parse(value.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return double.IsInfinity(result) ? throw Errors.Overflow("int too large to convert to float") : result;
    }

    /// <summary>An index or count: a whole number, or a fault that says what it is instead.</summary>
    public static long ToIndex(object? value)
    {
        if (!IsInteger(value, out BigInteger integer)) throw Errors.Type(
            $"'{TypeNames.Of(value)}' object cannot be interpreted as an integer");
        return integer >= long.MinValue && integer <= long.MaxValue ? (long)integer
            : throw Errors.Overflow("Python int too large to convert to C ssize_t");
    }

    public static object Truncate(double value)
    {
        if (double.IsNaN(value)) throw Errors.Value("cannot convert float NaN to integer");
        if (double.IsInfinity(value)) throw Errors.Overflow("cannot convert float infinity to integer");
        return Shrink(new BigInteger(value));
    }

    /// <summary>Python's int(text, radix); null where it is no number.</summary>
    public static object? ParseInteger(string text, int radix)
    {
        string digits = Trimmed(text);
        bool negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+')) digits = digits[1..];
        int implied = digits.Length > 1 && digits[0] == '0'
            ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (implied > 0 && (radix == 0 || radix == implied))
        {
            radix = implied;
            digits = digits[2..];
            if (digits.StartsWith('_')) digits = digits[1..];
        }
        else if (radix == 0)
        {
            radix = 10;
            if (digits.Length > 1 && digits[0] == '0' && digits.Any(c => c is not ('0' or '_'))) return null;
        }
        if (RemoveUnderscores(digits) is not { } plain) return null;
        return ParseDigits(plain, radix) is { } value ? Shrink(negative ? -value : value) : null;
    }

    public static BigInteger? ParseDigits(string digits, int radix)
    {
        if (digits.Length == 0) return null;
        bool isPowerOfTwo = (radix & (radix - 1)) == 0;
        if (!isPowerOfTwo && digits.Length > MaximumDigits)
            throw Errors.Value(
                $"Exceeds the limit ({MaximumDigits} digits) for integer string conversion: value has {digits.Length} digits");
        CheckBits(digits.Length * Math.Log2(radix));
        BigInteger value = 0;
        foreach (Rune rune in digits.EnumerateRunes())
        {
            int digit = DigitOf(rune);
            if (digit < 0 || digit >= radix) return null;
            value = value * radix + digit;
        }
        return value;
    }

    private static int DigitOf(Rune rune)
    {
        if (rune.Value is >= 'a' and <= 'z') return rune.Value - 'a' + 10;
        if (rune.Value is >= 'A' and <= 'Z') return rune.Value - 'A' + 10;
        return CharUnicodeInfo.GetDecimalDigitValue(rune.ToString(), 0);
    }

    /// <summary>Python's float(text); null where it is no number.</summary>
    public static double? ParseFloat(string text)
    {
        string number = Trimmed(text);
        string lower = number.ToLowerInvariant();
        string unsigned = lower.StartsWith('-') || lower.StartsWith('+') ? lower[1..] : lower;
        if (unsigned is "inf" or "infinity") return lower.StartsWith('-') ? double.NegativeInfinity : double.PositiveInfinity;
        if (unsigned is "nan") return double.NaN;
        if (RemoveUnderscores(unsigned) is not { } plain) return null;
        StringBuilder ascii = new();
        foreach (Rune rune in plain.EnumerateRunes())
        {
            int digit = CharUnicodeInfo.GetDecimalDigitValue(rune.ToString(), 0);
            if (digit >= 0) ascii.Append(digit);
            else if (rune.Value is '.' or 'e' or '+' or '-') ascii.Append((char)rune.Value);
            else return null;
        }
        const NumberStyles style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!double.TryParse(ascii.ToString(), style, CultureInfo.InvariantCulture, out double value)) return null;
        return lower.StartsWith('-') ? -value : value;
    }

    /// <summary>Underscores may stand between digits alone.</summary>
    private static string? RemoveUnderscores(string digits)
    {
        if (!digits.Contains('_', StringComparison.Ordinal)) return digits;
        for (int i = 0; i < digits.Length; i++)
            if (digits[i] == '_'
                && (i == 0 || i + 1 == digits.Length || !char.IsLetterOrDigit(digits[i - 1]) || !char.IsLetterOrDigit(digits[i + 1])))
                return null;
        return digits.Replace("_", "", StringComparison.Ordinal);
    }

    private static string Trimmed(string text)
    {
        int start = 0, end = text.Length;
        while (start < end && Characters.IsSpace(text[start])) start++;
        while (end > start && Characters.IsSpace(text[end - 1])) end--;
        return text[start..end];
    }
}
