using System.Diagnostics.CodeAnalysis;

namespace Dataflow.Text.Templates.Values;

/// <summary>Text that is marked as safe: what is joined to it is escaped.</summary>
internal sealed record Markup(string Text);

internal sealed class ListValue(List<object?> items)
{
    public List<object?> Items { get; } = items;

    public ListValue(IEnumerable<object?> items)
        : this(items.ToList())
    {
    }
}

internal class TupleValue(object?[] items)
{
    public object?[] Items { get; } = items;
}

/// <summary>What groupby gives: a pair whose halves have names.</summary>
internal sealed class GroupTuple(object? grouper, ListValue list) : TupleValue([grouper, list])
{
    public ListValue List { get; } = list;
}

internal sealed class BytesValue(byte[] bytes)
{
    public byte[] Bytes { get; } = bytes;
}

/// <summary>Whole numbers from start on, step apart, before stop.</summary>
internal sealed class RangeValue(long start, long stop, long step)
{
    public long Start { get; } = start;

    public long Stop { get; } = stop;

    public long Step { get; } = step;

    public long Count { get; } = step > 0
        ? (start < stop ? (long)(((Int128)stop - start - 1) / step + 1) : 0)
        : (start > stop ? (long)(((Int128)start - stop - 1) / -(Int128)step + 1) : 0);

    public long At(long index) => Start + index * Step;
}

internal enum DictViewKind
{
    Keys,
    Values,
    Items,
}

internal sealed record DictView(DictValue Owner, DictViewKind Kind)
{
    public IEnumerable<object?> Items => Kind switch
    {
        DictViewKind.Keys => Owner.Keys,
        DictViewKind.Values => Owner.Pairs.Select(p => p.Value),
        _ => Owner.Pairs.Select(p => (object?)new TupleValue([p.Key, p.Value])),
    };
}

/// <summary>Values that are made one at a time, once.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Its enumerators hold nothing that must be released.")]
internal sealed class GeneratorValue(IEnumerable<object?> items, string name = "generator")
{
    private readonly IEnumerator<object?> source = items.GetEnumerator();

    public string Name { get; } = name;

    public bool TryNext(out object? item)
    {
        if (source.MoveNext())
        {
            item = source.Current;
            return true;
        }
        item = null;
        return false;
    }
}

/// <summary>What a template may assign attributes of.</summary>
internal sealed class NamespaceValue
{
    private NamespaceValue(DictValue attributes) => Attributes = attributes;

    public DictValue Attributes { get; }

    public static NamespaceValue Of(DictValue attributes)
    {
        foreach (object? key in attributes.Keys) Check(key);
        return new NamespaceValue(attributes);
    }

    public void Assign(string name, object? value)
    {
        Check(name);
        Attributes[name] = value;
    }

    private static void Check(object? key)
    {
        if (Equality.Text(key) is { } name && name.StartsWith('_'))
            throw new TemplateException(
                TemplateErrorKind.Security,
                $"Chat templates cannot store underscore-prefixed attributes on a namespace, but got {Representation.Repr(key)}. "
                    + "Please rename the attribute.");
    }
}
