using System.Numerics;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;

namespace Dataflow.Text.Templates.Values;

/// <summary>Which of two values is less, and sorting by it.</summary>
internal static class Ordering
{
    /// <summary>A comparison of the language.</summary>
    public static bool Compare(ComparisonOperator sign, object? left, object? right)
    {
        switch (sign)
        {
            case ComparisonOperator.Equal: return Equality.Equal(left, right);
            case ComparisonOperator.NotEqual: return !Equality.Equal(left, right);
            case ComparisonOperator.In: return Membership.Contains(right, left);
            case ComparisonOperator.NotIn: return !Membership.Contains(right, left);
        }
        Budget.Step();
        if (left is Undefined l) throw l.Fault();
        if (right is Undefined r) throw r.Fault();
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right)) return Holds(sign, CompareNumbers(left, right));
        if (Equality.Text(left) is { } a && Equality.Text(right) is { } b) return Holds(sign, CodePoints.Compare(a, b));
        if (left is ListValue ll && right is ListValue rl) return CompareItems(sign, ll.Items, rl.Items);
        if (left is TupleValue lt && right is TupleValue rt) return CompareItems(sign, lt.Items, rt.Items);
        if (left is DictView { Kind: not DictViewKind.Values } || left is BytesValue)
            throw Errors.Unsupported($"'{Sign(sign)}' between instances of '{TypeNames.Of(left)}'");
        throw Errors.Type($"'{Sign(sign)}' not supported between instances of '{TypeNames.Of(left)}' and '{TypeNames.Of(right)}'");
    }

    /// <summary>-1, 0 or 1; null where one of the numbers is not one (NaN).</summary>
    public static int? CompareNumbers(object? left, object? right)
    {
        if (left is long l && right is long r) return l.CompareTo(r);
        if (left is double || right is double)
        {
            if (left is double a && right is double b) return double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b);
            return left is double d ? CompareMixed(d, right) : -CompareMixed((double)right!, left);
        }
        Numbers.IsInteger(left, out BigInteger x);
        Numbers.IsInteger(right, out BigInteger y);
        return x.CompareTo(y);
    }

    private static int? CompareMixed(double number, object? integer)
    {
        if (double.IsNaN(number)) return null;
        if (double.IsInfinity(number)) return number > 0 ? 1 : -1;
        Numbers.IsInteger(integer, out BigInteger whole);
        double floor = Math.Floor(number);
        int order = new BigInteger(floor).CompareTo(whole);
        return order == 0 && number > floor ? 1 : order;
    }

    public static bool Less(object? left, object? right) => Compare(ComparisonOperator.Less, left, right);

    /// <summary>A stable sort of indices by their keys.</summary>
    public static List<T> Sort<T>(List<T> items, Func<T, object?> key, bool reverse)
    {
        object?[] keys = [.. items.Select(key)];
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        if (reverse) Array.Reverse(order);
        MergeSort(order, new int[order.Length], 0, order.Length, keys);
        if (reverse) Array.Reverse(order);
        return [.. order.Select(i => items[i])];
    }

    private static void MergeSort(int[] order, int[] room, int from, int to, object?[] keys)
    {
        if (to - from < 2) return;
        int middle = (from + to) / 2;
        MergeSort(order, room, from, middle, keys);
        MergeSort(order, room, middle, to, keys);
        int left = from, right = middle;
        for (int i = from; i < to; i++)
        {
            bool takeRight = left == middle || (right < to && Less(keys[order[right]], keys[order[left]]));
            room[i] = takeRight ? order[right++] : order[left++];
        }
        Array.Copy(room, from, order, from, to - from);
    }

    private static bool CompareItems(ComparisonOperator sign, IReadOnlyList<object?> left, IReadOnlyList<object?> right)
    {
        Budget.CheckStack();
        for (int i = 0; i < left.Count && i < right.Count; i++)
            if (!Equality.Same(left[i], right[i])) return Compare(sign, left[i], right[i]);
        return Holds(sign, left.Count.CompareTo(right.Count));
    }

    private static bool Holds(ComparisonOperator sign, int? order) => order is { } o && sign switch
    {
        ComparisonOperator.Less => o < 0,
        ComparisonOperator.LessEqual => o <= 0,
        ComparisonOperator.Greater => o > 0,
        _ => o >= 0,
    };

    private static string Sign(ComparisonOperator sign) => sign switch
    {
        ComparisonOperator.Less => "<",
        ComparisonOperator.LessEqual => "<=",
        ComparisonOperator.Greater => ">",
        _ => ">=",
    };
}
