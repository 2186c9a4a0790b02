using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Text in pieces: at white space, at a separator, at line ends.</summary>
internal static class StringSplitting
{
    public static ListValue Split(Invocation call, bool fromRight)
    {
        string text = StringMethods.Self(call);
        long limit = call.Index(1, -1);
        Budget.Spend(text.Length / 4);
        if (call.Or(0, null) is null) return ToList(fromRight ? WordsFromRight(text, limit) : Words(text, limit));
        string separator = call.Text(0);
        if (separator.Length == 0) throw Errors.Value("empty separator");
        return ToList(fromRight ? AtFromRight(text, separator, limit) : At(text, separator, limit));
    }

    private static ListValue ToList(List<string> pieces)
    {
        Budget.Spend(pieces.Count);
        return new ListValue(pieces.ToList<object?>());
    }

    public static List<string> Words(string text, long limit)
    {
        List<string> words = [];
        int at = 0;
        while (true)
        {
            while (at < text.Length && Characters.IsSpace(text[at])) at++;
            if (at == text.Length) return words;
            if (limit >= 0 && words.Count >= limit)
            {
                words.Add(text[at..]);
                return words;
            }
            int start = at;
            while (at < text.Length && !Characters.IsSpace(text[at])) at++;
            words.Add(text[start..at]);
        }
    }

    private static List<string> WordsFromRight(string text, long limit)
    {
        List<string> words = [];
        int end = text.Length;
        while (true)
        {
            while (end > 0 && Characters.IsSpace(text[end - 1])) end--;
            if (end == 0) break;
            if (limit >= 0 && words.Count >= limit)
            {
                words.Add(text[..end]);
                break;
            }
            int stop = end;
            while (end > 0 && !Characters.IsSpace(text[end - 1])) end--;
            words.Add(text[end..stop]);
        }
        words.Reverse();
        return words;
    }

    private static List<string> At(string text, string separator, long limit)
    {
        List<string> pieces = [];
        int at = 0;
        while (limit < 0 || pieces.Count < limit)
        {
            int found = text.IndexOf(separator, at, StringComparison.Ordinal);
            if (found < 0) break;
            pieces.Add(text[at..found]);
            at = found + separator.Length;
        }
        pieces.Add(text[at..]);
        return pieces;
    }

    private static List<string> AtFromRight(string text, string separator, long limit)
    {
        List<string> pieces = [];
        int end = text.Length;
        while (limit < 0 || pieces.Count < limit)
        {
            int found = text.AsSpan(0, end).LastIndexOf(separator, StringComparison.Ordinal);
            if (found < 0) break;
            pieces.Add(text[(found + separator.Length)..end]);
            end = found;
        }
        pieces.Add(text[..end]);
        pieces.Reverse();
        return pieces;
    }

    public static List<string> Lines(string text, bool keepEnds)
    {
        Budget.Spend(text.Length / 4);
        List<string> lines = [];
        for (int at = 0; at < text.Length;)
        {
            int end = at;
            while (end < text.Length && !IsLineEnd(text[end])) end++;
            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            lines.Add(text[at..(keepEnds ? next : end)]);
            at = next;
        }
        Budget.Spend(lines.Count);
        return lines;
    }

    private static bool IsLineEnd(char c) =>
        c is '\n' or '\r' or '\v' or '\f' or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029';

    /// <summary>Text without the given characters (white space, if none are given) at its ends.</summary>
    public static string Strip(string text, string? characters, bool left, bool right)
    {
        int start = 0, end = text.Length;
        if (characters is null)
        {
            while (left && start < end && Characters.IsSpace(text[start])) start++;
            while (right && end > start && Characters.IsSpace(text[end - 1])) end--;
            return start == 0 && end == text.Length ? text : text[start..end];
        }
        if (CodePoints.AreChars(characters))
        {
            while (left && start < end && characters.Contains(text[start])) start++;
            while (right && end > start && characters.Contains(text[end - 1])) end--;
            return text[start..end];
        }
        HashSet<string> set = [.. CodePoints.Split(characters)];
        List<string> all = CodePoints.Split(text);
        end = all.Count;
        while (left && start < end && set.Contains(all[start])) start++;
        while (right && end > start && set.Contains(all[end - 1])) end--;
        return string.Concat(all.Skip(start).Take(end - start));
    }

    public static TupleValue Partition(Invocation call, bool fromRight)
    {
        string text = StringMethods.Self(call), separator = call.Text(0);
        if (separator.Length == 0) throw Errors.Value("empty separator");
        int found = fromRight ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        if (found < 0) return fromRight ? new TupleValue(["", "", text]) : new TupleValue([text, "", ""]);
        return new TupleValue([text[..found], separator, text[(found + separator.Length)..]]);
    }
}
