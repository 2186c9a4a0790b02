using System.Numerics;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Filters that make one type of value from another.</summary>
internal static partial class Filters
{
    private static IEnumerable<Builtin> Conversions() =>
    [
        Of("default", "value default_value? boolean?", Default),
        Of("d", "value default_value? boolean?", Default),
        Of("string", "object", SoftText),
        Of("int", "value default? base?", ToInteger),
        Of("float", "value default?", ToFloatOrDefault),
        Of("abs", "/ x", Absolute),
        Of("round", "value precision? method?", Round),
        Of("attr", "obj name", Attr),
        Of("tojson", "x ensure_ascii? indent? separators? sort_keys?", JsonText.Of),
        Of("pprint", "value", i => PrettyText.Of(i[0])),
    ];

    private static object? Default(Invocation call) =>
        call[0] is Undefined || (call.Truth(2) && !Truth.Of(call[0])) ? call.Or(1, "") : call[0];

    private static object? ToInteger(Invocation call)
    {
        object? value = call[0];
        if (Equality.Text(value) is { } text)
        {
            long radix = call.Index(2, 10);
            if (radix is 0 or (>= 2 and <= 36) && WithinDigits(() => Numbers.ParseInteger(text, (int)radix)) is { } integer) return integer;
            return Numbers.ParseFloat(text) is { } number && double.IsFinite(number) ? Numbers.Truncate(number) : call.Or(1, 0L);
        }
        return value switch
        {
            bool or long or BigInteger => Arithmetic.Negate(value, negative: false),
            double d when double.IsFinite(d) => Numbers.Truncate(d),
            double d when double.IsInfinity(d) => throw Errors.Overflow("cannot convert float infinity to integer"),
            Undefined undefined => throw undefined.Fault(),
            _ => call.Or(1, 0L),
        };
    }

    private static object? WithinDigits(Func<object?> parse)
    {
        try
        {
            return parse();
        }
        catch (TemplateException e) when (e.Kind == TemplateErrorKind.Value)
        {
            return null;
        }
    }

    private static double ToFloat(object? value) => value switch
    {
        Undefined undefined => throw undefined.Fault(),
        _ when Numbers.IsNumber(value) => Numbers.ToDouble(value),
        string or Markup => Numbers.ParseFloat(Equality.Text(value)!)
            ?? throw Errors.Value($"could not convert string to float: {Representation.Repr(value)}"),
        _ => throw Errors.Type($"float() argument must be a string or a real number, not '{TypeNames.Of(value)}'"),
    };

    private static object? ToFloatOrDefault(Invocation call)
    {
        try
        {
            return ToFloat(call[0]);
        }
        catch (TemplateException e) when (e.Kind is TemplateErrorKind.Type or TemplateErrorKind.Value)
        {
            return call.Or(1, 0.0);
        }
    }

    private static object Absolute(Invocation call) => call[0] switch
    {
        double d => Math.Abs(d),
        _ when Numbers.IsInteger(call[0], out BigInteger integer) => Numbers.Shrink(BigInteger.Abs(integer)),
        _ => throw Errors.Type($"bad operand type for abs(): '{TypeNames.Of(call[0])}'"),
    };

    private static object? Round(Invocation call)
    {
        string? method = Equality.Text(call.Or(2, "common"));
        if (method is not ("common" or "ceil" or "floor")) throw Errors.Argument("method must be common, ceil or floor");
        object? value = call[0];
        if (method != "common")
        {
            object? power = Arithmetic.Apply(BinaryOperator.Power, 10L, call.Or(1, 0L));
            object? scaled = Arithmetic.Apply(BinaryOperator.Multiply, value, power);
            object whole = scaled switch
            {
                double d => Numbers.Truncate(method == "ceil" ? Math.Ceiling(d) : Math.Floor(d)),
                bool or long or BigInteger => scaled,
                _ => throw Errors.Type($"must be real number, not {TypeNames.Of(scaled)}"),
            };
            return Arithmetic.Apply(BinaryOperator.Divide, whole, power);
        }
        object? precision = call.Or(1, 0L);
        if (value is double number)
        {
            if (precision is not null) return FloatText.Round(number, (int)Math.Clamp(Numbers.ToIndex(precision), -1000, 1000));
            return Numbers.Truncate(double.IsFinite(number) ? FloatText.Round(number, 0) : number);
        }
        if (!Numbers.IsInteger(value, out BigInteger integer)) throw Errors.Type(
            $"type {TypeNames.Of(value)} doesn't define __round__ method");
        long digits = precision is null ? 0 : Numbers.ToIndex(precision);
        if (digits >= 0) return Numbers.Shrink(integer);
        Numbers.CheckBits(-digits * 3.33);
        return Numbers.Shrink(RoundTo(integer, BigInteger.Pow(10, (int)-digits)));
    }

    private static BigInteger RoundTo(BigInteger value, BigInteger unit)
    {
        BigInteger quotient = BigInteger.DivRem(value, unit, out BigInteger remainder);
        if (remainder.Sign < 0)
        {
            quotient -= 1;
            remainder += unit;
        }
        int half = (remainder * 2).CompareTo(unit);
        return (half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient) * unit;
    }

    // An attribute alone: items are not looked at.
    private static object? Attr(Invocation call)
    {
        string name = call.Text(1);
        if (call[0] is Undefined undefined && !name.StartsWith("__", StringComparison.Ordinal)) throw undefined.Fault();
        return Attributes.TryGet(call[0], name, out object? value) ? Attributes.Guarded(call[0], name, value)
            : Undefined.OfMember(call[0], name);
    }
}
