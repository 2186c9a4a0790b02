using System.Numerics;
using Dataflow.Text.Templates.Builtins;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates.Values;

/// <summary>The operators of arithmetic, on numbers and on what else has them.</summary>
internal static class Arithmetic
{
    public static object? Apply(BinaryOperator sign, object? left, object? right)
    {
        if (left is Undefined l) throw l.Fault();
        if (sign == BinaryOperator.Modulo && left is string format) return PercentFormat.Apply(format, right);
        if (sign == BinaryOperator.Modulo && left is Markup marked) return Escaping.Format(marked, right);
        if (right is Undefined r) throw r.Fault();
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
            return left is double || right is double ? Floats(sign, Numbers.ToDouble(left), Numbers.ToDouble(right))
                : Integers(sign, left, right);
        return sign switch
        {
            BinaryOperator.Add => Add(left, right),
            BinaryOperator.Multiply => Repeat(left, right),
            _ => null,
        } ?? throw Unfit(Sign(sign), left, right);
    }

    public static object Negate(object? value, bool negative)
    {
        if (value is Undefined undefined) throw undefined.Fault();
        if (value is double d) return negative ? -d : d;
        if (!Numbers.IsInteger(value, out BigInteger integer))
            throw Errors.Type($"bad operand type for unary {(negative ? "-" : "+")}: '{TypeNames.Of(value)}'");
        return Numbers.Shrink(negative ? -integer : integer);
    }

    /// <summary>Addition of what sequences and text have; null where there is none.</summary>
    private static object? Add(object? left, object? right)
    {
        switch (left)
        {
            case string l when right is string r:
                Budget.Text((long)l.Length + r.Length);
                return l + r;
            case string or Markup when right is string or Markup:
                return Escaping.Join("", [left, right]);
            case string or Markup:
                throw Errors.Type($"can only concatenate str (not \"{TypeNames.Of(right)}\") to str");
            case ListValue l when right is ListValue r:
                Budget.Spend((long)l.Items.Count + r.Items.Count);
                return new ListValue([.. l.Items, .. r.Items]);
            case TupleValue l when right is TupleValue r:
                Budget.Spend((long)l.Items.Length + r.Items.Length);
                return new TupleValue([.. l.Items, .. r.Items]);
            case ListValue or TupleValue:
                throw Errors.Type($"can only concatenate {TypeNames.Of(left)} (not \"{TypeNames.Of(right)}\") to {TypeNames.Of(left)}");
            default:
                return null;
        }
    }

    private static object? Repeat(object? left, object? right)
    {
        if (Numbers.IsInteger(left, out _)) (left, right) = (right, left);
        if (left is not (string or Markup or ListValue or TupleValue)) return null;
        if (!Numbers.IsInteger(right, out _)) throw Errors.Type($"can't multiply sequence by non-int of type '{TypeNames.Of(right)}'");
        long count = Math.Max(0, Numbers.ToIndex(right));
        return left switch
        {
            string s => Repeated(s, count),
            Markup m => new Markup(Repeated(m.Text, count)),
            ListValue list => new ListValue(Repeated(list.Items, count)),
            _ => new TupleValue([.. Repeated(((TupleValue)left).Items, count)]),
        };
    }

    public static string Repeated(string text, long count)
    {
        if (text.Length == 0) return "";
        Budget.Text(SaturatingProduct(text.Length, count));
        return string.Create(text.Length * (int)count, text, static (span, source) =>
        {
            for (int at = 0; at < span.Length; at += source.Length) source.CopyTo(span[at..]);
        });
    }

    private static List<object?> Repeated(IReadOnlyList<object?> items, long count)
    {
        Budget.Spend(SaturatingProduct(items.Count, count));
        List<object?> result = new(items.Count * (items.Count == 0 ? 0 : (int)count));
        if (items.Count > 0)
            for (long i = 0; i < count; i++) result.AddRange(items);
        return result;
    }

    private static long SaturatingProduct(long size, long count) => (long)Int128.Min((Int128)size * count, long.MaxValue);

    private static object Integers(BinaryOperator sign, object? left, object? right)
    {
        if (left is long a && right is long b && Small(sign, a, b) is { } small) return small;
        Numbers.IsInteger(left, out BigInteger x);
        Numbers.IsInteger(right, out BigInteger y);
        switch (sign)
        {
            case BinaryOperator.Add: return Checked(x + y);
            case BinaryOperator.Subtract: return Checked(x - y);
            case BinaryOperator.Multiply:
                Numbers.CheckBits((double)x.GetBitLength() + y.GetBitLength());
                return Checked(x * y);
            case BinaryOperator.Divide:
                if (y.IsZero) throw DivisionByZero("division by zero");
                return Quotient(x, y);
            case BinaryOperator.FloorDivide or BinaryOperator.Modulo:
                if (y.IsZero) throw DivisionByZero("integer division or modulo by zero");
                Budget.Spend((x.GetBitLength() / 64) * (1 + y.GetBitLength() / 64));
                BigInteger quotient = BigInteger.DivRem(x, y, out BigInteger remainder);
                bool adjust = !remainder.IsZero && remainder.Sign != y.Sign;
                return sign == BinaryOperator.FloorDivide ? Checked(adjust ? quotient - 1 : quotient)
                    : Checked(adjust ? remainder + y : remainder);
            default:
                if (y.Sign < 0)
                    return x.IsZero ? throw DivisionByZero("0.0 cannot be raised to a negative power")
                        : Math.Pow(Numbers.ToDouble(left), Numbers.ToDouble(right));
                if (x.IsZero || x.IsOne || y.IsZero) return y.IsZero ? 1L : Checked(x);
                if (x == BigInteger.MinusOne) return y.IsEven ? 1L : -1L;
                Numbers.CheckBits((double)(x.GetBitLength() - 1) * (double)y);
                Budget.Spend((long)Math.Pow(x.GetBitLength() * (double)y / 64, 1.6));
                return Checked(BigInteger.Pow(x, (int)y));
        }
    }

    private static long? Small(BinaryOperator sign, long a, long b)
    {
        long result;
        switch (sign)
        {
            case BinaryOperator.Add:
                result = unchecked(a + b);
                return ((a ^ result) & (b ^ result)) < 0 ? null : result;
            case BinaryOperator.Subtract:
                result = unchecked(a - b);
                return ((a ^ b) & (a ^ result)) < 0 ? null : result;
            default:
                return null;
        }
    }

    private static object Checked(BigInteger value)
    {
        Numbers.CheckBits(value.GetBitLength());
        return Numbers.Shrink(value);
    }

    // Correctly rounded, also where the operands are no floating-point numbers themselves.
    private static double Quotient(BigInteger x, BigInteger y)
    {
        const long exact = 1L << 53;
        if (BigInteger.Abs(x) <= exact && BigInteger.Abs(y) <= exact) return (double)x / (double)y;
        bool negative = (x.Sign < 0) != (y.Sign < 0);
        x = BigInteger.Abs(x);
        y = BigInteger.Abs(y);
        int shift = (int)(66 - (x.GetBitLength() - y.GetBitLength()));
        BigInteger quotient = BigInteger.DivRem(shift >= 0 ? x << shift : x, shift >= 0 ? y : y << -shift, out BigInteger remainder);
        // The last bit stands for all that is cut off, so that a tie is not mistaken for one.
        if (!remainder.IsZero) quotient |= 1;
        int drop = (int)quotient.GetBitLength() - 53;
        BigInteger half = BigInteger.One << (drop - 1);
        BigInteger kept = quotient >> drop, rest = quotient - (kept << drop);
        if (rest > half || (rest == half && !kept.IsEven)) kept += 1;
        double result = Math.ScaleB((double)kept, drop - shift);
        if (double.IsInfinity(result)) throw Errors.Overflow("integer division result too large for a float");
        return negative ? -result : result;
    }

    private static double Floats(BinaryOperator sign, double x, double y)
    {
        switch (sign)
        {
            case BinaryOperator.Add: return x + y;
            case BinaryOperator.Subtract: return x - y;
            case BinaryOperator.Multiply: return x * y;
            case BinaryOperator.Divide: return y == 0 ? throw DivisionByZero("float division by zero") : x / y;
            case BinaryOperator.FloorDivide: return y == 0 ? throw DivisionByZero("float floor division by zero") : FloorDivide(x, y);
            case BinaryOperator.Modulo: return y == 0 ? throw DivisionByZero("float modulo") : Modulo(x, y);
            default:
                if (x == 0 && y < 0) throw DivisionByZero("0.0 cannot be raised to a negative power");
                double power = Math.Pow(x, y);
                if (double.IsInfinity(power) && double.IsFinite(x)
                    && double.IsFinite(y)) throw Errors.Overflow("(34, 'Numerical result out of range')");
                if (double.IsNaN(power) && !double.IsNaN(x)
                    && !double.IsNaN(y)) throw Errors.Unsupported("a power that is a complex number");
                return power;
        }
    }

    private static double Modulo(double x, double y)
    {
        double modulo = x % y;
        if (modulo == 0) return Math.CopySign(0, y);
        return (y < 0) != (modulo < 0) ? modulo + y : modulo;
    }

    private static double FloorDivide(double x, double y)
    {
        double modulo = x % y;
        double quotient = (x - modulo) / y;
        if (modulo != 0 && (y < 0) != (modulo < 0)) quotient -= 1;
        if (quotient == 0) return Math.CopySign(0, x / y);
        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static TemplateException DivisionByZero(string detail) => new(TemplateErrorKind.ZeroDivision, detail);

    private static TemplateException Unfit(string sign, object? left, object? right) =>
        Errors.Type($"unsupported operand type(s) for {sign}: '{TypeNames.Of(left)}' and '{TypeNames.Of(right)}'");

    private static string Sign(BinaryOperator sign) => sign switch
    {
        BinaryOperator.Add => "+",
        BinaryOperator.Subtract => "-",
        BinaryOperator.Multiply => "*",
        BinaryOperator.Divide => "/",
        BinaryOperator.FloorDivide => "//",
        BinaryOperator.Modulo => "%",
        _ => "** or pow()",
    };
}
