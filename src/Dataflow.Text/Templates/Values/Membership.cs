using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Python's <c>in</c>.</summary>
internal static class Membership
{
    public static bool Contains(object? container, object? item)
    {
        switch (container)
        {
            case string or Markup:
                string text = Equality.Text(container)!;
                Budget.Spend(1 + text.Length / 16);
                return Equality.Text(item) is { } part
                    ? text.Contains(part, StringComparison.Ordinal)
                    : throw Errors.Type($"'in <string>' requires string as left operand, not {TypeNames.Of(item)}");
            case DictValue dict: return dict.ContainsKey(item);
            case DictView { Kind: DictViewKind.Keys } view: return view.Owner.ContainsKey(item);
            case ListValue list: return Any(list.Items, item);
            case TupleValue tuple: return Any(tuple.Items, item);
            case RangeValue range: return Any(Iteration.Of(range), item);
            case BytesValue bytes:
                if (item is BytesValue inner) return bytes.Bytes.AsSpan().IndexOf(inner.Bytes) >= 0;
                if (item is long number) return number is >= 0 and <= 255 ? bytes.Bytes.Contains((byte)number)
                    : throw Errors.Value("byte must be in range(0, 256)");
                throw Errors.Type($"a bytes-like object is required, not '{TypeNames.Of(item)}'");
            case null or bool or long or double or NamespaceValue or Callable:
                throw Errors.Type($"argument of type '{TypeNames.Of(container)}' is not iterable");
            default: return Any(Iteration.Of(container), item);
        }
    }

    private static bool Any(IEnumerable<object?> items, object? item)
    {
        foreach (object? candidate in items)
            if (Equality.Same(candidate, item)) return true;
        return false;
    }
}
