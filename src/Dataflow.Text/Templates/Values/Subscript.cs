using System.Numerics;
using Dataflow.Text.Templates.Builtins;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Items and slices of values: <c>x[i]</c> and <c>x.name</c>, which looks for the other where the first is not there.</summary>
internal static class Subscript
{
    /// <summary>Jinja's x[argument]: an item, else an attribute of that name, else undefined.</summary>
    public static object? Item(object? owner, object? argument)
    {
        if (TryItem(owner, argument, out object? item)) return item;
        if (Equality.Text(argument) is { } name && Attributes.TryGet(owner, name, out object? attribute)) return Attributes.Guarded(owner,
            name, attribute);
        return Undefined.OfMember(owner, argument);
    }

    /// <summary>Jinja's x.name: an attribute, else an item of that name, else undefined.</summary>
    public static object? Attribute(object? owner, string name)
    {
        if (Attributes.TryGet(owner, name, out object? attribute)) return Attributes.Guarded(owner, name, attribute);
        return TryItem(owner, name, out object? item) ? item : Undefined.OfMember(owner, name);
    }

    /// <summary>Python's owner[key], with its failures (no such item, no items at all) as false.</summary>
    private static bool TryItem(object? owner, object? key, out object? item)
    {
        item = null;
        switch (owner)
        {
            case DictValue dict:
                try
                {
                    return dict.TryGetValue(key, out item);
                }
                catch (TemplateException e) when (e.Kind == TemplateErrorKind.Type)
                {
                    // A key that cannot be one is not there.
                    return false;
                }
            case Undefined undefined: throw undefined.Fault();
            case string or Markup or ListValue or TupleValue or RangeValue or BytesValue: break;
            default: return false;
        }
        if (key is SliceBounds slice)
        {
            try
            {
                item = Slice(owner, slice.Start, slice.Stop, slice.Step);
                return true;
            }
            catch (TemplateException e) when (e.Kind == TemplateErrorKind.Type)
            {
                return false;
            }
        }
        if (!Numbers.IsInteger(key, out BigInteger index)) return false;
        long length = Iteration.Length(owner)!.Value;
        if (index < 0) index += length;
        if (index < 0 || index >= length) return false;
        int at = (int)index;
        item = owner switch
        {
            string s => CodePoints.At(s, at),
            Markup m => new Markup(CodePoints.At(m.Text, at)),
            ListValue list => list.Items[at],
            TupleValue tuple => tuple.Items[at],
            RangeValue range => range.At(at),
            _ => (long)((BytesValue)owner!).Bytes[at],
        };
        return true;
    }

    /// <summary>Bounds as a value, where a slice stands among several indices.</summary>
    internal sealed record SliceBounds(object? Start, object? Stop, object? Step);

    public static object? Slice(object? owner, object? start, object? stop, object? step)
    {
        if (owner is Undefined undefined) throw undefined.Fault();
        if (owner is DictValue) throw Errors.Type("unhashable type: 'slice'");
        if (owner is not (string or Markup or ListValue or TupleValue or RangeValue or BytesValue))
            throw Errors.Type($"'{TypeNames.Of(owner)}' object is not subscriptable");
        long length = Iteration.Length(owner)!.Value;
        long by = Bound(step) ?? 1;
        if (by == 0) throw Errors.Value("slice step cannot be zero");
        long from = Clamp(Bound(start), length, by, by > 0 ? 0 : length - 1);
        long to = Clamp(Bound(stop), length, by, by > 0 ? length : -1);
        if (owner is RangeValue range) return new RangeValue(range.Start + from * range.Step, range.Start + to * range.Step,
            range.Step * by);
        if (by == 1)
        {
            int begin = (int)from, count = (int)Math.Max(0, to - from);
            Budget.Spend(owner is string or Markup ? 1 + count / 8 : count);
            return owner switch
            {
                string s => Substring(s, begin, count),
                Markup m => new Markup(Substring(m.Text, begin, count)),
                ListValue list => new ListValue(list.Items.GetRange(begin, count)),
                TupleValue tuple => new TupleValue(tuple.Items[begin..(begin + count)]),
                _ => new BytesValue(((BytesValue)owner!).Bytes[begin..(begin + count)]),
            };
        }
        return Stepped(owner, new RangeValue(from, to, by));
    }

    private static object Stepped(object? owner, RangeValue indices)
    {
        Budget.Spend(indices.Count);
        return owner switch
        {
            string s => Pick(s, indices),
            Markup m => new Markup(Pick(m.Text, indices)),
            ListValue list => new ListValue([.. Picked(list.Items, indices)]),
            TupleValue tuple => new TupleValue([.. Picked(tuple.Items, indices)]),
            _ => throw Errors.Unsupported("a slice of bytes with a step"),
        };
    }

    private static string Pick(string text, RangeValue indices)
    {
        if (indices.Step == -1 && indices.Count == CodePoints.Count(text)) return CodePoints.Reverse(text);
        List<string> characters = CodePoints.Split(text);
        return string.Concat(Picked(characters, indices));
    }

    private static IEnumerable<T> Picked<T>(IReadOnlyList<T> items, RangeValue indices)
    {
        for (long i = 0; i < indices.Count; i++) yield return items[(int)indices.At(i)];
    }

    private static string Substring(string text, int begin, int count)
    {
        int from = CodePoints.Offset(text, begin);
        return CodePoints.AreChars(text) ? text.Substring(from, count) : text[from..(from + CodePoints.Offset(text[from..], count))];
    }

    private static long? Bound(object? value)
    {
        if (value is null) return null;
        if (value is Undefined || !Numbers.IsInteger(value, out BigInteger integer))
            throw Errors.Type("slice indices must be integers or None or have an __index__ method");
        return (long)BigInteger.Max(-long.MaxValue, BigInteger.Min(long.MaxValue, integer));
    }

    private static long Clamp(long? bound, long length, long step, long absent)
    {
        if (bound is not { } value) return absent;
        if (value < 0) return Math.Max(value + length, step > 0 ? 0 : -1);
        return Math.Min(value, step > 0 ? length : length - 1);
    }
}
