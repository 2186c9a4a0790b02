using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Looking for text in text, within bounds that count characters.</summary>
internal static class StringSearch
{
    /// <summary>The part of the text that is looked at, and the index of its first character; null where the bounds cross.</summary>
    private static (string Part, long Start)? Within(Invocation call)
    {
        string text = StringMethods.Self(call);
        Budget.Spend(1 + text.Length / 16);
        if (call.Or(1, null) is null && call.Or(2, null) is null) return (text, 0);
        long length = CodePoints.Count(text);
        long start = Bound(call.Or(1, null), length, 0), end = Bound(call.Or(2, null), length, length);
        if (start > end) return null;
        return (Values.Representation.Str(Subscript.Slice(text, start, end, null)), start);
    }

    private static long Bound(object? value, long length, long absent)
    {
        if (value is null) return absent;
        long bound = Numbers.ToIndex(value);
        return bound < 0 ? Math.Max(0, bound + length) : bound > length && absent == length ? length : bound;
    }

    public static long Find(Invocation call, bool fromRight)
    {
        string wanted = call.Text(0);
        if (Within(call) is not { } within) return -1;
        int found = fromRight
            ? wanted.Length == 0 ? within.Part.Length : within.Part.LastIndexOf(wanted, StringComparison.Ordinal)
            : within.Part.IndexOf(wanted, StringComparison.Ordinal);
        return found < 0 ? -1 : within.Start + CodePoints.Count(within.Part.AsSpan(0, found));
    }

    public static object Index(Invocation call, bool fromRight) =>
        Find(call, fromRight) is >= 0 and long found ? found : throw Errors.Value("substring not found");

    public static long Count(Invocation call)
    {
        string wanted = call.Text(0);
        if (Within(call) is not { } within) return 0;
        if (wanted.Length == 0) return CodePoints.Count(within.Part) + 1;
        long count = 0;
        for (int at = within.Part.IndexOf(wanted, StringComparison.Ordinal); at >= 0;
            at = within.Part.IndexOf(wanted, at + wanted.Length, StringComparison.Ordinal))
            count++;
        return count;
    }

    public static bool Affix(Invocation call, bool atEnd)
    {
        object? affix = call[0];
        if (affix is not (string or Markup or TupleValue))
            throw Errors.Type($"{(atEnd ? "endswith" : "startswith")} first arg must be str or a tuple of str, not {TypeNames.Of(affix)}");
        if (Within(call) is not { } within) return false;
        return affix is TupleValue tuple
            ? tuple.Items.Any(item => Has(within.Part, Equality.Text(item)
                ?? throw Errors.Type($"tuple for {(atEnd ? "endswith" : "startswith")} must only contain str, not {TypeNames.Of(item)}"),
                    atEnd))
            : Has(within.Part, Equality.Text(affix)!, atEnd);
    }

    private static bool Has(string text, string affix, bool atEnd) =>
        atEnd ? text.EndsWith(affix, StringComparison.Ordinal) : text.StartsWith(affix, StringComparison.Ordinal);

    /// <summary>Text with the first so many finds replaced; all, if the limit is negative.</summary>
    public static string Replace(string text, string old, string replacement, long limit)
    {
        Budget.Spend(1 + text.Length / 16);
        if (limit == 0) return text;
        List<int> finds = [];
        if (old.Length == 0)
        {
            for (int at = 0; at <= text.Length && (limit < 0 || finds.Count < limit); at++)
                if (at == 0 || at == text.Length || !char.IsLowSurrogate(text[at]) || !char.IsHighSurrogate(text[at - 1])) finds.Add(at);
        }
        else
        {
            for (int at = text.IndexOf(old, StringComparison.Ordinal); at >= 0 && (limit < 0 || finds.Count < limit);
                at = text.IndexOf(old, at + old.Length, StringComparison.Ordinal))
                finds.Add(at);
        }
        if (finds.Count == 0) return text;
        Budget.Spend(finds.Count);
        Budget.Text(text.Length + (long)finds.Count * (replacement.Length - old.Length));
        System.Text.StringBuilder result = new();
        int kept = 0;
        foreach (int find in finds)
        {
            result.Append(text, kept, find - kept).Append(replacement);
            kept = find + old.Length;
        }
        return result.Append(text, kept, text.Length - kept).ToString();
    }
}
