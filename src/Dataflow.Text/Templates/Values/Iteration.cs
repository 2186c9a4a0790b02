using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Walking through values, and their lengths.</summary>
internal static class Iteration
{
    public static bool IsIterable(object? value) =>
        value is string or Markup or ListValue or TupleValue or DictValue or DictView or RangeValue
        or BytesValue or GeneratorValue or Undefined or LoopContext;

    public static IEnumerable<object?> Of(object? value) => value switch
    {
        string s => CodePoints.Split(s),
        Markup m => CodePoints.Split(m.Text),
        ListValue list => list.Items,
        TupleValue tuple => tuple.Items,
        DictValue dict => dict.Keys,
        DictView view => view.Items,
        RangeValue range => Numbers(range),
        BytesValue bytes => bytes.Bytes.Select(b => (object?)(long)b),
        GeneratorValue generator => Rest(generator),
        Undefined => [],
        LoopContext => throw Errors.Unsupported("a loop that walks through its own loop variable"),
        _ => throw Errors.Type($"'{TypeNames.Of(value)}' object is not iterable"),
    };

    /// <summary>All items, each of which costs a step.</summary>
    public static List<object?> ToList(object? value)
    {
        if (Length(value) is { } count) Budget.Spend(count);
        List<object?> items = [];
        foreach (object? item in Of(value))
        {
            Budget.Step();
            items.Add(item);
        }
        return items;
    }

    /// <summary>How many items there are; null where values have no length.</summary>
    public static long? Length(object? value) => value switch
    {
        string s => CodePoints.Count(s),
        Markup m => CodePoints.Count(m.Text),
        ListValue list => list.Items.Count,
        TupleValue tuple => tuple.Items.Length,
        DictValue dict => dict.Count,
        DictView view => view.Owner.Count,
        RangeValue range => range.Count,
        BytesValue bytes => bytes.Bytes.Length,
        Undefined => 0,
        LoopContext loop => loop.Length,
        _ => null,
    };

    public static long RequiredLength(object? value) =>
        Length(value) ?? throw Errors.Type($"object of type '{TypeNames.Of(value)}' has no len()");

    /// <summary>The items that an assignment to so many targets needs.</summary>
    public static object?[] Unpack(object? value, int count)
    {
        if (!IsIterable(value)) throw Errors.Type($"cannot unpack non-iterable {TypeNames.Of(value)} object");
        List<object?> items = new(count);
        foreach (object? item in Of(value))
        {
            Budget.Step();
            if (items.Count == count) throw Errors.Value($"too many values to unpack (expected {count})");
            items.Add(item);
        }
        return items.Count == count ? [.. items] : throw Errors.Value($"not enough values to unpack (expected {count}, got {items.Count})");
    }

    private static IEnumerable<object?> Numbers(RangeValue range)
    {
        for (long i = 0; i < range.Count; i++) yield return range.At(i);
    }

    private static IEnumerable<object?> Rest(GeneratorValue generator)
    {
        while (generator.TryNext(out object? item)) yield return item;
    }
}
