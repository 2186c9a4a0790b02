using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Filters of sequences.</summary>
internal static partial class Filters
{
    private static IEnumerable<Builtin> Sequences() =>
    [
        Of("length", "/ obj", i => Iteration.RequiredLength(i[0])),
        Of("count", "/ obj", i => Iteration.RequiredLength(i[0])),
        Of("first", "seq", i => FirstOf(i[0])),
        Of("last", "seq", i => Reversed(i[0]) is { Count: > 0 } items ? items[0] : new Undefined("No last item, sequence was empty.")),
        Of("random", "seq", RandomItem),
        Of("list", "value", i => new ListValue(Iteration.ToList(i[0]))),
        Of("join", "value d? attribute?", Join),
        Of("reverse", "value", Reverse),
        Of("sort", "value reverse? case_sensitive? attribute?", Sort),
        Of("unique", "value case_sensitive? attribute?", Unique),
        Of("min", "value case_sensitive? attribute?", i => Extreme(i, ComparisonOperator.Less)),
        Of("max", "value case_sensitive? attribute?", i => Extreme(i, ComparisonOperator.Greater)),
        Of("sum", "iterable attribute? start?", Sum),
        Of("batch", "value linecount fill_with?", i => new GeneratorValue(Batch(i[0], i[1], i.Or(2, null)))),
        Of("slice", "value slices fill_with?", i => new GeneratorValue(Slices(i[0], i[1], i.Or(2, null)))),
        Of("groupby", "value attribute default? case_sensitive?", GroupBy),
        Of("dictsort", "value case_sensitive? by? reverse?", DictSort),
        Of("items", "value", i => new GeneratorValue(Items(i[0]))),
    ];

    private static object? FirstOf(object? sequence)
    {
        foreach (object? item in Iteration.Of(sequence)) return item;
        return new Undefined("No first item, sequence was empty.");
    }

    /// <summary>Python's reversed(): of what has an order and a length.</summary>
    private static List<object?> Reversed(object? sequence)
    {
        if (sequence is not (string or Markup or ListValue or TupleValue or RangeValue or BytesValue or DictValue or DictView or Undefined))
            throw Errors.Type($"'{TypeNames.Of(sequence)}' object is not reversible");
        List<object?> items = Iteration.ToList(sequence);
        items.Reverse();
        return items;
    }

    private static object? RandomItem(Invocation call)
    {
        long length = Iteration.RequiredLength(call[0]);
        if (length == 0) return new Undefined("No random item, sequence was empty.");
        return Subscript.Item(call[0], call.Rendering.Random.NextInt64(length));
    }

    private static object Join(Invocation call)
    {
        object? separator = call.Or(1, "");
        IEnumerable<object?> items = Iteration.Of(call[0]);
        if (call.Or(2, null) is { } attribute) items = items.Select(Getter(attribute));
        List<object?> all = [];
        long length = 0;
        bool escapes = call.Rendering.AutoEscape;
        foreach (object? item in items)
        {
            Budget.Step();
            object? text = escapes && item is Markup ? item : Representation.Str(item);
            length += Equality.Text(text)!.Length;
            all.Add(text);
        }
        string between = Representation.Str(separator);
        Budget.Text(length + (long)between.Length * all.Count);
        if (escapes && (separator is Markup || all.Any(a => a is Markup))) return Escaping.Join(Escaping.Escape(separator).Text, all);
        return string.Join(between, all.Select(Representation.Str));
    }

    private static object? Reverse(Invocation call)
    {
        switch (call[0])
        {
            case string or Markup: return Subscript.Slice(call[0], null, null, -1L);
            case GeneratorValue:
                List<object?> items = Iteration.ToList(call[0]);
                items.Reverse();
                return new ListValue(items);
            case var value when Iteration.IsIterable(value): return new GeneratorValue(Reversed(value), "list_reverseiterator");
            default: throw Errors.Argument("argument must be iterable");
        }
    }

    private static ListValue Sort(Invocation call)
    {
        bool ignoreCase = !call.Truth(2);
        object? attribute = call.Or(3, null);
        List<object?> items = Iteration.ToList(call[0]);
        // Keys are lists, and equal items of lists are passed over: so also what has no order can be sorted, if it is all the same.
        object?[] attributes = Equality.Text(attribute) is { } names ? [.. names.Split(',')] : [attribute];
        Func<object?, object?>[] getters = [.. attributes.Select(a => Getter(a, null, ignoreCase))];
        return new ListValue(Ordering.Sort(items, item => new ListValue(getters.Select(g => g(item))), call.Truth(1)));
    }

    private static GeneratorValue Unique(Invocation call)
    {
        Func<object?, object?> getter = Getter(call.Or(2, null), null, ignoreCase: !call.Truth(1));
        object? value = call[0];
        return new GeneratorValue(Distinct());

        IEnumerable<object?> Distinct()
        {
            DictValue seen = new();
            foreach (object? item in Iteration.Of(value))
            {
                object? key = getter(item);
                if (seen.ContainsKey(key)) continue;
                seen[key] = null;
                yield return item;
            }
        }
    }

    private static object? Extreme(Invocation call, ComparisonOperator better)
    {
        Func<object?, object?> getter = Getter(call.Or(2, null), null, ignoreCase: !call.Truth(1));
        List<object?> items = Iteration.ToList(call[0]);
        if (items.Count == 0) return new Undefined("No aggregated item, sequence was empty.");
        object? best = items[0], bestKey = getter(best);
        foreach (object? item in items.Skip(1))
        {
            object? key = getter(item);
            if (!Ordering.Compare(better, key, bestKey)) continue;
            best = item;
            bestKey = key;
        }
        return best;
    }

    private static object? Sum(Invocation call)
    {
        object? total = call.Or(2, 0L);
        if (total is string or Markup) throw Errors.Type("sum() can't sum strings [use ''.join(seq) instead]");
        IEnumerable<object?> items = Iteration.Of(call[0]);
        if (call.Or(1, null) is { } attribute) items = items.Select(Getter(attribute));
        foreach (object? item in items)
        {
            Budget.Step();
            total = Arithmetic.Apply(BinaryOperator.Add, total, item);
        }
        return total;
    }

    private static IEnumerable<object?> Batch(object? value, object? count, object? fill)
    {
        List<object?> batch = [];
        foreach (object? item in Iteration.Of(value))
        {
            Budget.Step();
            if (Equality.Equal((long)batch.Count, count))
            {
                yield return new ListValue(batch);
                batch = [];
            }
            batch.Add(item);
        }
        if (batch.Count == 0) yield break;
        if (fill is not null && Ordering.Less((long)batch.Count, count))
        {
            long missing = Numbers.ToIndex(count) - batch.Count;
            Budget.Spend(missing);
            batch.AddRange(Enumerable.Repeat(fill, (int)missing));
        }
        yield return new ListValue(batch);
    }

    private static IEnumerable<object?> Slices(object? value, object? slices, object? fill)
    {
        List<object?> items = Iteration.ToList(value);
        long count = Numbers.ToIndex(slices);
        if (count == 0) throw new TemplateException(TemplateErrorKind.ZeroDivision, "integer division or modulo by zero");
        long each = items.Count / Math.Max(1, count), extra = items.Count % Math.Max(1, count), offset = 0;
        for (long n = 0; n < count; n++)
        {
            Budget.Step();
            long start = offset + n * each;
            if (n < extra) offset++;
            long end = offset + (n + 1) * each;
            List<object?> slice = items.GetRange((int)start, (int)(end - start));
            if (fill is not null && n >= extra) slice.Add(fill);
            yield return new ListValue(slice);
        }
    }

    private static ListValue GroupBy(Invocation call)
    {
        object? fallback = call.Or(2, null);
        bool ignoreCase = !call.Truth(3);
        Func<object?, object?> key = Getter(call[1], fallback, ignoreCase), shown = Getter(call[1], fallback);
        List<(object? Key, List<object?> Items)> groups = [];
        foreach (object? item in Ordering.Sort(Iteration.ToList(call[0]), key, reverse: false))
        {
            object? itemKey = key(item);
            if (groups.Count == 0 || !Equality.Equal(groups[^1].Key, itemKey)) groups.Add((itemKey, []));
            groups[^1].Items.Add(item);
        }
        return new ListValue(groups.Select(g => (object?)new GroupTuple(ignoreCase ? shown(g.Items[0]) : g.Key, new ListValue(g.Items))));
    }

    private static ListValue DictSort(Invocation call)
    {
        object? by = call.Or(2, "key");
        int half = Equality.Text(by) switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw Errors.Argument("You can only sort by either \"key\" or \"value\""),
        };
        if (call[0] is not DictValue dict)
            throw call[0] is Undefined undefined ? undefined.Fault() : new TemplateException(
                TemplateErrorKind.Attribute, $"'{TypeNames.Of(call[0])}' object has no attribute 'items'");
        List<object?> pairs = Iteration.ToList(new DictView(dict, DictViewKind.Items));
        return new ListValue(Ordering.Sort(pairs, Key, call.Truth(3)));

        object? Key(object? pair)
        {
            object? value = ((TupleValue)pair!).Items[half];
            return call.Truth(1) ? value : CaseMapping.WithoutCase(value);
        }
    }

    private static IEnumerable<object?> Items(object? value)
    {
        if (value is Undefined) yield break;
        if (value is not DictValue dict) throw Errors.Type("Can only get item pairs from a mapping.");
        foreach (object? pair in new DictView(dict, DictViewKind.Items).Items) yield return pair;
    }
}
