using System.Numerics;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Equality and hashing as Python's: numbers by value whatever their type, sequences and mappings by what they hold.</summary>
internal static class Equality
{
    /// <summary>The same thing, or equal: how sequences and mappings look for what they hold.</summary>
    public static bool Same(object? left, object? right) => (ReferenceEquals(left, right) && left is not double) || Equal(left, right);

    public static bool Equal(object? left, object? right)
    {
        Budget.Step();
        switch (left)
        {
            case null: return right is null;
            case string or Markup:
                if (Text(left) is not { } l || Text(right) is not { } r || l.Length != r.Length) return false;
                Budget.Spend(l.Length / 64);
                return string.Equals(l, r, StringComparison.Ordinal);
            case bool or long or BigInteger or double: return Numbers.IsNumber(right) && Ordering.CompareNumbers(left, right) == 0;
            case ListValue list: return right is ListValue otherList && AllEqual(list.Items, otherList.Items);
            case TupleValue tuple: return right is TupleValue otherTuple && AllEqual(tuple.Items, otherTuple.Items);
            case DictValue dict: return right is DictValue otherDict && DictsEqual(dict, otherDict);
            case Undefined: return right is Undefined;
            case RangeValue range: return right is RangeValue otherRange && RangesEqual(range, otherRange);
            case BytesValue bytes: return right is BytesValue otherBytes && bytes.Bytes.AsSpan().SequenceEqual(otherBytes.Bytes);
            case DictView { Kind: not DictViewKind.Values } view:
                return right is DictView { Kind: not DictViewKind.Values } otherView && view.Owner.Count == otherView.Owner.Count
                    && view.Items.All(i => otherView.Items.Any(o => Same(i, o)));
            default: return left.Equals(right);
        }
    }

    /// <summary>The text of a string, marked or not; null of anything else.</summary>
    public static string? Text(object? value) => value as string ?? (value as Markup)?.Text;

    public static int Hash(object? value)
    {
        switch (value)
        {
            case null: return 0x4e6f6e65;
            case string or Markup:
                string text = Text(value)!;
                Budget.Spend(text.Length / 64);
                return text.GetHashCode(StringComparison.Ordinal);
            case bool b: return (b ? 1L : 0L).GetHashCode();
            case long l: return l.GetHashCode();
            case BigInteger big: return big.GetHashCode();
            case double d:
                if (d != Math.Floor(d) || double.IsInfinity(d)) return d.GetHashCode();
                return Numbers.Truncate(d).GetHashCode();
            case Undefined: return 0x756e6466;
            case TupleValue tuple:
                Budget.CheckStack();
                Budget.Spend(tuple.Items.Length + 1);
                HashCode hash = default;
                foreach (object? item in tuple.Items) hash.Add(Hash(item));
                return hash.ToHashCode();
            case ListValue or DictValue or DictView { Kind: not DictViewKind.Values }:
                throw Errors.Type($"unhashable type: '{TypeNames.Of(value)}'");
            case RangeValue range: return HashCode.Combine(range.Count, range.Count > 0 ? range.Start : 0);
            case BytesValue bytes: return bytes.Bytes.Length;
            default: return value.GetHashCode();
        }
    }

    private static bool AllEqual(IReadOnlyList<object?> left, IReadOnlyList<object?> right)
    {
        if (left.Count != right.Count) return false;
        Budget.CheckStack();
        for (int i = 0; i < left.Count; i++)
            if (!Same(left[i], right[i])) return false;
        return true;
    }

    private static bool DictsEqual(DictValue left, DictValue right)
    {
        if (left.Count != right.Count) return false;
        Budget.CheckStack();
        foreach ((object? key, object? value) in left.Pairs)
            if (!right.TryGetValue(key, out object? other) || !Same(value, other)) return false;
        return true;
    }

    private static bool RangesEqual(RangeValue left, RangeValue right) =>
        left.Count == right.Count && (left.Count == 0 || (left.Start == right.Start && (left.Count == 1 || left.Step == right.Step)));
}
