using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Text for HTML, as markupsafe makes it: templates of chats rarely ask for it, but then exactly.</summary>
internal static class Escaping
{
    public static Markup Escape(object? value) => value as Markup ?? new Markup(EscapeText(Representation.Str(value)));

    public static string EscapeText(string text)
    {
        if (text.AsSpan().IndexOfAny("&<>'\"") < 0) return text;
        Budget.Text(text.Length * 2L);
        StringBuilder escaped = new(text.Length + 16);
        foreach (char c in text)
        {
            _ = c switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '\'' => escaped.Append("&#39;"),
                '"' => escaped.Append("&#34;"),
                _ => escaped.Append(c),
            };
        }
        return escaped.ToString();
    }

    /// <summary>Texts, of which at least one is marked, joined to one that is: the others are escaped.</summary>
    public static Markup Join(string separator, IEnumerable<object?> parts)
    {
        StringBuilder text = new();
        bool first = true;
        foreach (object? part in parts)
        {
            if (!first) text.Append(separator);
            first = false;
            text.Append(Escape(part).Text);
            Budget.Text(text.Length / 1024);
        }
        Budget.Text(text.Length);
        return new Markup(text.ToString());
    }

    /// <summary>Concatenation where values are escaped: marked if a part is.</summary>
    public static object MarkupJoin(object?[] parts) =>
        parts.Any(p => p is Markup) ? Join("", parts) : string.Concat(parts.Select(Representation.Str));

    public static Markup Format(Markup format, object? arguments) => new(PercentFormat.Apply(format.Text, arguments, escape: true));
}
