using System.Text;
using System.Text.RegularExpressions;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>The addresses in a text as links of HTML.</summary>
internal static class Urlize
{
    private static readonly Regex Web = new(
        @"^((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)"
        + @"|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}])))(?::[\d]{1,5})?(?:[/?#]\S*)?$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    private static readonly Regex Mail = new(@"^\S+@\w[\w.-]*\.\w+$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    private static readonly Regex Scheme = new(@"^([\w.+-]{2,}:(/){0,2})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    public static object Apply(Invocation call)
    {
        string text = Escaping.Escape(call[0]).Text;
        Budget.Spend(text.Length);
        long? limit = call.Or(1, null) is { } given ? Numbers.ToIndex(given) : null;
        SortedSet<string> relations = new(StringComparer.Ordinal) { "noopener" };
        if (call.Truth(4)) relations.UnionWith(StringSplitting.Words(Representation.Str(call[4]), -1));
        if (call.Truth(2)) relations.Add("nofollow");
        string attributes = $" rel=\"{Escaping.EscapeText(string.Join(' ', relations))}\"";
        if (call.Truth(3)) attributes += $" target=\"{Escaping.Escape(call[3]).Text}\"";
        List<string> schemes = [];
        if (call.Or(5, null) is { } extra)
            foreach (object? scheme in Iteration.ToList(extra))
            {
                schemes.Add(Equality.Text(scheme)
                    ?? throw Errors.Type($"expected string or bytes-like object, got '{TypeNames.Of(scheme)}'"));
                if (!Scheme.IsMatch(schemes[^1])) throw Errors.Argument($"{Representation.Repr(scheme)} is not a valid URI scheme prefix.");
            }

        StringBuilder linked = new();
        for (int at = 0; at < text.Length;)
        {
            bool space = Characters.IsSpace(text[at]);
            int end = at;
            while (end < text.Length && Characters.IsSpace(text[end]) == space) end++;
            string word = text[at..end];
            linked.Append(space ? word : Word(word, attributes, limit, schemes));
            at = end;
        }
        Budget.Text(linked.Length);
        return call.Rendering.AutoEscape ? new Markup(linked.ToString()) : linked.ToString();
    }

    private static string Word(string word, string attributes, long? limit, List<string> schemes)
    {
        string head = Leading(word, ["(", "<", "&lt;"]);
        string middle = word[head.Length..];
        string tail = Trailing(middle, [")", ">", ".", ",", "\n", "&gt;"]);
        middle = middle[..^tail.Length];
        Balance(ref middle, ref tail, "(", ")");
        Balance(ref middle, ref tail, "<", ">");
        Balance(ref middle, ref tail, "&lt;", "&gt;");
        return head + Link(middle, attributes, limit, schemes) + tail;
    }

    private static string Leading(string text, string[] marks)
    {
        int at = 0;
        while (marks.FirstOrDefault(m => string.CompareOrdinal(text, at, m, 0, m.Length) == 0) is { } mark) at += mark.Length;
        return text[..at];
    }

    private static string Trailing(string text, string[] marks)
    {
        int end = text.Length;
        while (marks.FirstOrDefault(m => text.AsSpan(0, end).EndsWith(m, StringComparison.Ordinal)) is { } mark) end -= mark.Length;
        return text[end..];
    }

    // Closing marks belong to the address as far as it opens them.
    private static void Balance(ref string middle, ref string tail, string open, string close)
    {
        int opened = Count(middle, open);
        if (opened <= Count(middle, close)) return;
        for (int moves = Math.Min(opened, Count(tail, close)); moves > 0; moves--)
        {
            int end = tail.IndexOf(close, StringComparison.Ordinal) + close.Length;
            Budget.Text(middle.Length);
            middle += tail[..end];
            tail = tail[end..];
        }
    }

    private static int Count(string text, string mark)
    {
        int count = 0;
        for (int at = text.IndexOf(mark, StringComparison.Ordinal); at >= 0; at = text.IndexOf(mark, at + mark.Length,
            StringComparison.Ordinal)) count++;
        return count;
    }

    private static string Link(string middle, string attributes, long? limit, List<string> schemes)
    {
        string shown = limit is { } most && CodePoints.Count(middle) > most
            ? Representation.Str(Subscript.Slice(middle, null, most, null)) + "..." : middle;
        if (Web.IsMatch(middle))
        {
            bool whole = middle.StartsWith("https://", StringComparison.Ordinal) || middle.StartsWith("http://", StringComparison.Ordinal);
            return $"<a href=\"{(whole ? "" : "https://")}{middle}\"{attributes}>{shown}</a>";
        }
        if (middle.StartsWith("mailto:", StringComparison.Ordinal)
            && Mail.IsMatch(middle[7..])) return $"<a href=\"{middle}\">{middle[7..]}</a>";
        if (middle.Contains('@') && !middle.StartsWith("www.", StringComparison.Ordinal) && !middle.StartsWith('@')
            && !middle.Contains(':') && Mail.IsMatch(middle))
            return $"<a href=\"mailto:{middle}\">{middle}</a>";
        foreach (string scheme in schemes)
            if (middle != scheme
                && middle.StartsWith(scheme, StringComparison.Ordinal)) middle = $"<a href=\"{middle}\"{attributes}>{middle}</a>";
        return middle;
    }
}
