using Dataflow.Text.Templates.Builtins;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Compilation;

/// <summary>Expressions.</summary>
internal sealed partial class Compiler
{
    // Closures call one another as deep as the tree is: at every so many levels the stack is looked at.
    private const int LevelsBetweenChecks = 32;

    private Evaluation Compile(Expression expression, Frame frame)
    {
        Budget.CheckStack();
        depth++;
        Evaluation value = Folded(expression, printed: false) ?? CompileNode(expression, frame);
        depth--;
        if (depth % LevelsBetweenChecks != LevelsBetweenChecks - 1) return value;
        return a =>
        {
            Budget.CheckStack();
            return value(a);
        };
    }

    private Evaluation CompileNode(Expression expression, Frame frame)
    {
        if (folding && IsOpen(expression)) return NotConstant;
        switch (expression)
        {
            case Expression.Constant { Value: var constant }:
                return _ => constant;
            case Expression.Name { Identifier: var name }:
                Evaluation variable = Variables.Read(frame.Function, frame.Symbols.Find(name) ?? Unknown(name, frame));
                return a => variable(a) is var value && value is Missing ? Undefined.OfName(name) : value;
            case Expression.Tuple tuple:
                Evaluation[] tupleItems = CompileAll(tuple.Items, frame);
                return a => new TupleValue(EvaluateAll(tupleItems, a));
            case Expression.List list:
                Evaluation[] listItems = CompileAll(list.Items, frame);
                return a => new ListValue(EvaluateAll(listItems, a).ToList());
            case Expression.Dict dict:
                return CompileDict(dict, frame);
            case Expression.Attribute attribute:
                Evaluation owner = Compile(attribute.Of, frame);
                return a => Subscript.Attribute(owner(a), attribute.Member);
            case Expression.Item item:
                return CompileItem(item, frame);
            case Expression.Slice slice:
                (Evaluation start, Evaluation stop, Evaluation step) = CompileSlice(slice, frame);
                return a => new Subscript.SliceBounds(start(a), stop(a), step(a));
            case Expression.Call call:
                Evaluation function = Compile(call.Function, frame);
                Func<Activation, Arguments> arguments = CompileArguments(call.Arguments, frame, call.Line);
                return a => Calls.Invoke(a.Rendering, function(a), arguments(a));
            case Expression.Filtered filtered:
                return CompileFilter(filtered, frame);
            case Expression.Tested tested:
                return CompileTest(tested, frame);
            case Expression.Unary unary:
                Evaluation operand = Compile(unary.Operand, frame);
                return unary.Operator == UnaryOperator.Not ? a => !Truth.Of(operand(a))
                    : a => Arithmetic.Negate(operand(a), unary.Operator == UnaryOperator.Negative);
            case Expression.Binary binary:
                Evaluation left = Compile(binary.Left, frame), right = Compile(binary.Right, frame);
                return a => Arithmetic.Apply(binary.Operator, left(a), right(a));
            case Expression.Logical logical:
                return CompileLogical(logical, frame);
            case Expression.Comparison comparison:
                return CompileComparison(comparison, frame);
            case Expression.Concatenation concatenation:
                Evaluation[] parts = CompileAll(concatenation.Parts, frame);
                return escapes == true ? a => Escaping.MarkupJoin(EvaluateAll(parts, a)) : a => Concatenate(EvaluateAll(parts, a));
            case Expression.Conditional conditional:
                return CompileConditional(conditional, frame);
            default:
                throw new InvalidOperationException(expression.GetType().Name);
        }
    }

    // Jinja does not look into the arguments of a set block's filter: a name that is only there is looked up when needed.
    private static string Unknown(string name, Frame frame)
    {
        frame.Symbols.Read(name);
        return frame.Symbols.Find(name)!;
    }

    private Evaluation[] CompileAll(IReadOnlyList<Expression> expressions, Frame frame) => [.. expressions.Select(e => Compile(e, frame))];

    private static object?[] EvaluateAll(Evaluation[] evaluations, Activation activation)
    {
        Budget.Spend(evaluations.Length);
        object?[] values = new object?[evaluations.Length];
        for (int i = 0; i < values.Length; i++) values[i] = evaluations[i](activation);
        return values;
    }

    private static string Concatenate(object?[] parts)
    {
        string[] texts = new string[parts.Length];
        long length = 0;
        for (int i = 0; i < parts.Length; i++) length += (texts[i] = Representation.Str(parts[i])).Length;
        Budget.Text(length);
        return string.Concat(texts);
    }

    private Evaluation CompileDict(Expression.Dict dict, Frame frame)
    {
        (Evaluation Key, Evaluation Value)[] pairs = [.. dict.Pairs.Select(p => (Compile(p.Key, frame), Compile(p.Value, frame)))];
        return a =>
        {
            Budget.Spend(pairs.Length);
            DictValue value = new();
            foreach ((Evaluation key, Evaluation item) in pairs) value[key(a)] = item(a);
            return value;
        };
    }

    private Evaluation CompileItem(Expression.Item item, Frame frame)
    {
        Evaluation owner = Compile(item.Of, frame);
        if (!folding && item.Index is Expression.Slice slice)
        {
            (Evaluation start, Evaluation stop, Evaluation step) = CompileSlice(slice, frame);
            return a => Subscript.Slice(owner(a), start(a), stop(a), step(a));
        }
        Evaluation index = Compile(item.Index, frame);
        return a => Subscript.Item(owner(a), index(a));
    }

    private (Evaluation Start, Evaluation Stop, Evaluation Step) CompileSlice(Expression.Slice slice, Frame frame) =>
        (Bound(slice.Start, frame), Bound(slice.Stop, frame), Bound(slice.Step, frame));

    private Evaluation Bound(Expression? bound, Frame frame) => bound is null ? _ => null : Compile(bound, frame);

    private Evaluation CompileLogical(Expression.Logical logical, Frame frame)
    {
        Evaluation left = Compile(logical.Left, frame), right = Compile(logical.Right, frame);
        return logical.Operator == LogicalOperator.And
            ? a => left(a) is var value && Truth.Of(value) ? right(a) : value
            : a => left(a) is var value && Truth.Of(value) ? value : right(a);
    }

    private Evaluation CompileComparison(Expression.Comparison comparison, Frame frame)
    {
        Evaluation first = Compile(comparison.First, frame);
        (ComparisonOperator Operator, Evaluation Right)[] rest = [.. comparison.Rest.Select(r => (r.Operator, Compile(r.Right, frame)))];
        return a =>
        {
            object? left = first(a);
            foreach ((ComparisonOperator sign, Evaluation right) in rest)
            {
                object? value = right(a);
                if (!Ordering.Compare(sign, left, value)) return false;
                left = value;
            }
            return true;
        };
    }

    private Evaluation CompileConditional(Expression.Conditional conditional, Frame frame)
    {
        Frame inner = frame with { IsConditional = true };
        Evaluation condition = Compile(conditional.Condition, inner), then = Compile(conditional.Then, inner);
        int line = conditional.Line;
        Evaluation otherwise = conditional.Else is not null
            ? Compile(conditional.Else, inner)
            : folding ? NotConstant : _ =>
                new Undefined($"the inline if-expression on line {line} evaluated to false and no else section was defined.");
        return a => Truth.Of(condition(a)) ? then(a) : otherwise(a);
    }

    private Evaluation CompileFilter(Expression.Filtered filtered, Frame frame)
    {
        Evaluation value = Compile(filtered.Of!, frame);
        Func<Activation, Arguments> arguments = CompileArguments(filtered.Arguments, frame, filtered.Line);
        Builtin? filter = FilterNamed(filtered, frame);
        return a => Invoke(filter, filtered.Filter, a, value(a), arguments);
    }

    /// <summary>Filters over the text of a block.</summary>
    private Func<Activation, string, object?> BlockFilter(Expression.Filtered filtered, Frame frame)
    {
        Func<Activation, string, object?> inner = filtered.Of is Expression.Filtered before
            ? BlockFilter(before, frame)
            : (a, text) => a.Rendering.AutoEscape ? new Markup(text) : text;
        Func<Activation, Arguments> arguments = CompileArguments(filtered.Arguments, frame, filtered.Line);
        Builtin? filter = FilterNamed(filtered, frame);
        return (a, text) => Invoke(filter, filtered.Filter, a, inner(a, text), arguments);
    }

    private static Builtin? FilterNamed(Expression.Filtered filtered, Frame frame)
    {
        if (!Filters.All.TryGetValue(filtered.Filter, out Builtin? filter) && !frame.IsConditional)
            throw Refused($"No filter named '{filtered.Filter}'.", filtered.Line);
        return filter;
    }

    private static object? Invoke(Builtin? filter, string name, Activation activation, object? value, Func<Activation, Arguments> arguments)
    {
        Budget.Step();
        if (filter is null) throw new TemplateException(TemplateErrorKind.Runtime, $"No filter named '{name}' found.");
        return filter.Invoke(activation.Rendering, null, Calls.Prepend(value, arguments(activation)));
    }

    private Evaluation CompileTest(Expression.Tested tested, Frame frame)
    {
        Evaluation value = Compile(tested.Of, frame);
        Func<Activation, Arguments> arguments = CompileArguments(tested.Arguments, frame, tested.Line);
        if (!Tests.All.TryGetValue(tested.Test, out Builtin? test) && !frame.IsConditional)
            throw Refused($"No test named '{tested.Test}'.", tested.Line);
        return a =>
        {
            Budget.Step();
            if (test is null) throw new TemplateException(TemplateErrorKind.Runtime, $"No test named '{tested.Test}' found.");
            return test.Invoke(a.Rendering, null, Calls.Prepend(value(a), arguments(a)));
        };
    }

    private Func<Activation, Arguments> CompileArguments(ArgumentList list, Frame frame, int line)
    {
        HashSet<string> names = [];
        foreach ((string name, _) in list.Keywords)
            if (!names.Add(name)) throw new TemplateException(TemplateErrorKind.PythonSyntax, $"keyword argument repeated: {name}", line);
        Evaluation[] positional = CompileAll(list.Positional, frame);
        (string Name, Evaluation Value)[] keywords = [.. list.Keywords.Select(k => (k.Name, Compile(k.Value, frame)))];
        Evaluation? spread = list.Spread is null ? null : Compile(list.Spread, frame);
        Evaluation? spreadKeywords = list.SpreadKeywords is null ? null : Compile(list.SpreadKeywords, frame);
        if (positional.Length == 0 && keywords.Length == 0 && spread is null && spreadKeywords is null) return _ => Arguments.None;
        if (keywords.Length == 0 && spread is null && spreadKeywords is null) return a => new Arguments(EvaluateAll(positional, a), []);
        return a =>
        {
            object?[] values = EvaluateAll(positional, a);
            if (spread is not null) values = [.. values, .. Calls.Spread(spread(a))];
            List<KeyValuePair<string, object?>> named = [.. keywords.Select(k => new KeyValuePair<string, object?>(k.Name, k.Value(a)))];
            if (spreadKeywords is not null) Calls.SpreadKeywords(spreadKeywords(a), named);
            return new Arguments(values, named);
        };
    }
}
