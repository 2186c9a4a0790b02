using System.Net;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>The methods of marked text: those of text, with marked results and escaped arguments, and a few of its own.</summary>
internal static class MarkupMethods
{
    private static readonly HashSet<string> Plain =
    [
        "count", "encode", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower",
        "isnumeric", "isprintable", "isspace", "istitle", "isupper", "maketrans", "rfind", "rindex", "startswith",
    ];

    public static readonly IReadOnlyDictionary<string, Builtin> Own = new Dictionary<string, Builtin>
    {
        ["striptags"] = new("striptags", new("/"), i => StripTags(Text(i))),
        ["unescape"] = new("unescape", new("/"), i => WebUtility.HtmlDecode(Text(i))),
        ["escape"] = new("escape", new("s"), i => Escaping.Escape(i[0])),
    };

    public static Builtin Of(Builtin method)
    {
        if (Plain.Contains(method.Name)) return method;
        return method with { Body = i => Apply(method, i) };
    }

    private static object? Apply(Builtin method, Invocation call)
    {
        string text = Text(call);
        switch (method.Name)
        {
            case "join": return Escaping.Join(text, Iteration.ToList(call[0]));
            case "format": return new Markup(FormatMethod.Apply(text, call.All, null, escape: true));
            case "format_map": return new Markup(FormatMethod.Apply(text, Arguments.None, StringMethods.Mapping(call), escape: true));
            case "replace" or "ljust" or "rjust" or "center" when call.Has(1):
                object?[] given = [.. call.Given];
                given[1] = Escaping.Escape(given[1]).Text;
                call = call with { Given = given };
                break;
        }
        return Marked(method.Body(call with { Self = text }));
    }

    private static object? Marked(object? value) => value switch
    {
        string s => new Markup(s),
        ListValue list => new ListValue(list.Items.Select(Marked)),
        TupleValue tuple => new TupleValue([.. tuple.Items.Select(Marked)]),
        _ => value,
    };

    private static string Text(Invocation call) => ((Markup)call.Self!).Text;

    /// <summary>Comments and tags are dropped, white space runs become one space, entities become characters.</summary>
    public static string StripTags(string text)
    {
        text = Without(Without(text, "<!--", "-->"), "<", ">");
        return WebUtility.HtmlDecode(string.Join(' ', StringSplitting.Words(text, -1)));
    }

    private static string Without(string text, string open, string close)
    {
        System.Text.StringBuilder kept = new();
        int at = 0;
        while (true)
        {
            int start = text.IndexOf(open, at, StringComparison.Ordinal);
            int end = start < 0 ? -1 : text.IndexOf(close, start, StringComparison.Ordinal);
            if (end < 0) return kept.Append(text, at, text.Length - at).ToString();
            kept.Append(text, at, start - at);
            at = end + close.Length;
        }
    }
}
