using System.Numerics;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>The tests by name. What is tested is the first argument.</summary>
internal static class Tests
{
    public static readonly IReadOnlyDictionary<string, Builtin> All = new[]
    {
        Of("odd", "value", i => Remainder(i[0], 2L, 1L)),
        Of("even", "value", i => Remainder(i[0], 2L, 0L)),
        Of("divisibleby", "value num", i => Remainder(i[0], i[1], 0L)),
        Of("defined", "value", i => i[0] is not Undefined),
        Of("undefined", "value", i => i[0] is Undefined),
        Of("filter", "value", i => Filters.All.ContainsKey(Name(i[0]))),
        Of("test", "value", i => IsTest(Name(i[0]))),
        Of("none", "value", i => i[0] is null),
        Of("boolean", "value", i => i[0] is bool),
        Of("false", "value", i => i[0] is false),
        Of("true", "value", i => i[0] is true),
        Of("integer", "value", i => i[0] is long or BigInteger),
        Of("float", "value", i => i[0] is double),
        Of("number", "value", i => Numbers.IsNumber(i[0])),
        Of("string", "value", i => i[0] is string or Markup),
        Of("mapping", "value", i => i[0] is DictValue),
        Of("sequence", "value", i =>
            i[0] is string or Markup or ListValue or TupleValue or DictValue or RangeValue or BytesValue or Undefined),
        Of("iterable", "value", i => Iteration.IsIterable(i[0])),
        Of("callable", "/ obj", i => i[0] is Callable or Undefined),
        Of("lower", "value", i => CaseMapping.IsLower(Representation.Str(i[0]))),
        Of("upper", "value", i => CaseMapping.IsUpper(Representation.Str(i[0]))),
        Of("escaped", "value", i => i[0] is Markup),
        Of("sameas", "value other", i => IsSame(i[0], i[1])),
        Of("in", "value seq", i => Membership.Contains(i[1], i[0])),
        Comparing(ComparisonOperator.Equal, "eq"),
        Comparing(ComparisonOperator.Equal, "=="),
        Comparing(ComparisonOperator.Equal, "equalto"),
        Comparing(ComparisonOperator.NotEqual, "ne"),
        Comparing(ComparisonOperator.NotEqual, "!="),
        Comparing(ComparisonOperator.Greater, "gt"),
        Comparing(ComparisonOperator.Greater, ">"),
        Comparing(ComparisonOperator.Greater, "greaterthan"),
        Comparing(ComparisonOperator.GreaterEqual, "ge"),
        Comparing(ComparisonOperator.GreaterEqual, ">="),
        Comparing(ComparisonOperator.Less, "lt"),
        Comparing(ComparisonOperator.Less, "<"),
        Comparing(ComparisonOperator.Less, "lessthan"),
        Comparing(ComparisonOperator.LessEqual, "le"),
        Comparing(ComparisonOperator.LessEqual, "<="),
    }.ToDictionary(t => t.Name);

    private static Builtin Of(string name, string parameters, Func<Invocation, object?> body) =>
        new(name, new Parameters(parameters), body);

    private static Builtin Comparing(ComparisonOperator sign, string name) => Of(name, "/ a b", i => Ordering.Compare(sign, i[0], i[1]));

    private static bool IsTest(string name) => All.ContainsKey(name);

    private static string Name(object? value)
    {
        Equality.Hash(value);
        return Equality.Text(value) ?? "";
    }

    private static bool Remainder(object? value, object? divisor, object? expected) =>
        Equality.Equal(Arithmetic.Apply(BinaryOperator.Modulo, value, divisor), expected);

    // Small whole numbers are one object in Python, as are equal texts of a template's constants: of the rest, that cannot be said.
    private static bool IsSame(object? left, object? right) => left switch
    {
        null => right is null,
        bool b => right is bool other && b == other,
        long l => right is long other && l == other && (l is >= -5 and <= 256 || ReferenceEquals(left, right)),
        string s => right is string other && s == other,
        _ => ReferenceEquals(left, right),
    };
}
