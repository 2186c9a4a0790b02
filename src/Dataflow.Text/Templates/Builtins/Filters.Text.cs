using System.Globalization;
using System.Net;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Filters of text.</summary>
internal static partial class Filters
{
    private static IEnumerable<Builtin> Text() =>
    [
        Of("upper", "s", i => Method(i, "upper")),
        Of("lower", "s", i => Method(i, "lower")),
        Of("capitalize", "s", i => Method(i, "capitalize")),
        Of("title", "s", i => Representation.Str(SoftText(i)) is var text ? TitleWords(text) : null),
        Of("trim", "value chars?", i => Method(i, "strip", i.Or(1, null))),
        Of("center", "value width?", i => Centered(SoftText(i), i.Index(1, 80))),
        Of("replace", "s old new count?", Replace),
        Of("indent", "s width? first? blank?", Indent),
        Of("truncate", "s length? killwords? end? leeway?", Truncate),
        Of("wordwrap", "s width? break_long_words? wrapstring? break_on_hyphens?", WordWrap.Apply),
        Of("wordcount", "s", i => WordCount(Representation.Str(SoftText(i)))),
        Of("format", "*", Format),
        Of("escape", "s", i => Escaping.Escape(i[0])),
        Of("e", "s", i => Escaping.Escape(i[0])),
        Of("forceescape", "value", i => new Markup(Escaping.EscapeText(Representation.Str(i[0])))),
        Of("safe", "value", i => i[0] as Markup ?? new Markup(Representation.Str(i[0]))),
        Of("striptags", "value", i => MarkupMethods.StripTags(Representation.Str(i[0]))),
        Of("urlencode", "value", i => UrlEncode(i[0])),
        Of("urlize", "value trim_url_limit? nofollow? target? rel? extra_schemes?", Urlize.Apply),
        Of("xmlattr", "d autospace?", XmlAttributes),
        Of("filesizeformat", "value binary?", i => FileSize(ToFloat(i[0]), i.Truth(1))),
    ];

    private static object Centered(object text, long width)
    {
        Budget.Text(width);
        string centered = StringMethods.Center(Equality.Text(text)!, width);
        return text is Markup ? new Markup(centered) : centered;
    }

    // Words begin after hyphens, spaces and opening brackets, and only there: it's stays It's.
    private static string TitleWords(string text)
    {
        StringBuilder titled = new();
        for (int at = 0; at < text.Length;)
        {
            int end = at;
            bool separates = SeparatesWords(text[at]);
            while (end < text.Length && SeparatesWords(text[end]) == separates) end++;
            string part = text[at..end];
            int first = part.Length > 1 && char.IsHighSurrogate(part[0]) ? 2 : 1;
            titled.Append(CaseMapping.Upper(part[..first])).Append(CaseMapping.Lower(part[first..]));
            at = end;
        }
        return titled.ToString();
    }

    private static bool SeparatesWords(char c) => c is '-' or '(' or '{' or '[' or '<' || Characters.IsSpace(c);

    private static object Replace(Invocation call)
    {
        long limit = call.Or(3, null) is null ? -1 : call.Index(3, -1);
        if (!call.Rendering.AutoEscape)
            return StringSearch.Replace(Representation.Str(call[0]), Representation.Str(call[1]), Representation.Str(call[2]), limit);
        bool marked = call[0] is Markup || call[1] is Markup || call[2] is Markup;
        string text = marked ? Escaping.Escape(call[0]).Text : Representation.Str(call[0]);
        string replacement = marked ? Escaping.Escape(call[2]).Text : Representation.Str(call[2]);
        string result = StringSearch.Replace(text, Representation.Str(call[1]), replacement, limit);
        return marked ? new Markup(result) : result;
    }

    private static object Indent(Invocation call)
    {
        object text = call[0] is string or Markup ? call[0]!
            : call[0] is Undefined undefined ? throw undefined.Fault()
            : call[0] is ListValue ? throw new TemplateException(TemplateErrorKind.Attribute, "'list' object has no attribute 'splitlines'")
            : throw Errors.Type($"unsupported operand type(s) for +=: '{TypeNames.Of(call[0])}' and 'str'");
        string indention = call.Has(1) && Equality.Text(call[1]) is { } given ? given
            : Arithmetic.Repeated(" ", Math.Max(0, call.Index(1, 4)));
        bool blank = call.Truth(3);
        List<string> lines = StringSplitting.Lines(Equality.Text(text) + "\n", keepEnds: false);
        Budget.Text(lines.Sum(l => l.Length + 1L) + (long)indention.Length * lines.Count);
        IEnumerable<string> indented = lines.Select((line, n) => n == 0 || (line.Length == 0 && !blank) ? line : indention + line);
        string result = (call.Truth(2) ? indention : "") + string.Join('\n', indented);
        return text is Markup ? new Markup(result) : result;
    }

    private static object? Truncate(Invocation call)
    {
        object? value = call[0];
        long length = call.Index(1, 255);
        string end = Representation.Str(call.Or(3, "..."));
        long leeway = call.Or(4, null) is null ? 5 : call.Index(4, 5);
        long endLength = CodePoints.Count(end);
        if (length < endLength) throw new TemplateException(TemplateErrorKind.AssertionFailed,
            $"expected length >= {endLength}, got {length}");
        if (leeway < 0) throw new TemplateException(TemplateErrorKind.AssertionFailed, $"expected leeway >= 0, got {leeway}");
        if (Iteration.RequiredLength(value) <= length + leeway) return value;
        if (value is not (string or Markup)) throw Errors.Type("truncate takes text");
        string kept = Representation.Str(Subscript.Slice(Equality.Text(value), null, length - endLength, null));
        if (!call.Truth(2) && kept.LastIndexOf(' ') is >= 0 and int space) kept = kept[..space];
        return value is Markup ? Escaping.Join("", [new Markup(kept), end]) : kept + end;
    }

    private static long WordCount(string text)
    {
        Budget.Spend(text.Length);
        long count = 0;
        bool inside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool word = CaseMapping.IsWordCharacter(rune);
            if (word && !inside) count++;
            inside = word;
        }
        return count;
    }

    private static object Format(Invocation call)
    {
        if (call.Given.Length == 0) throw Errors.Type("do_format() missing 1 required positional argument: 'value'");
        if (call.Given.Length > 1 && call.All.Keywords.Count > 0)
            throw Errors.Argument("can't handle positional and keyword arguments at the same time");
        object? values = new TupleValue(call.Given[1..]);
        if (call.All.Keywords.Count > 0)
        {
            DictValue named = new();
            foreach ((string key, object? value) in call.All.Keywords) named[key] = value;
            values = named;
        }
        return call.Given[0] is Markup marked ? Escaping.Format(marked, values)
            : PercentFormat.Apply(Representation.Str(call.Given[0]), values);
    }

    private static string UrlEncode(object? value)
    {
        if (value is string or Markup || !Iteration.IsIterable(value)) return UrlQuote(value, forQuery: false);
        IEnumerable<object?> pairs = value is DictValue dict ? new DictView(dict, DictViewKind.Items).Items : Iteration.Of(value);
        List<string> parts = [];
        foreach (object? pair in pairs)
        {
            object?[] halves = Iteration.Unpack(pair, 2);
            parts.Add($"{UrlQuote(halves[0], true)}={UrlQuote(halves[1], true)}");
        }
        return string.Join('&', parts);
    }

    private static string UrlQuote(object? value, bool forQuery)
    {
        byte[] bytes = value is BytesValue b ? b.Bytes : Encoding.UTF8.GetBytes(Representation.Str(value));
        Budget.Text(bytes.Length * 3L);
        StringBuilder quoted = new();
        foreach (byte c in bytes)
        {
            if (char.IsAsciiLetterOrDigit((char)c) || c is (byte)'_' or (byte)'.' or (byte)'-' or (byte)'~'
                || (c == '/' && !forQuery)) quoted.Append((char)c);
            else if (c == ' ' && forQuery) quoted.Append('+');
            else quoted.Append(CultureInfo.InvariantCulture, $"%{c:X2}");
        }
        return quoted.ToString();
    }

    private static object XmlAttributes(Invocation call)
    {
        if (call[0] is not DictValue dict)
            throw call[0] is Undefined undefined ? undefined.Fault() : new TemplateException(
                TemplateErrorKind.Attribute, $"'{TypeNames.Of(call[0])}' object has no attribute 'items'");
        List<string> attributes = [];
        foreach ((object? key, object? value) in dict.Pairs)
        {
            if (value is null or Undefined) continue;
            if (Equality.Text(key) is not { } name) throw Errors.Type($"expected string or bytes-like object, got '{TypeNames.Of(key)}'");
            if (name.Any(c => c is ' ' or '\t' or '\n' or '\r' or '\f' or '\v' or '/' or '>' or '='))
                throw Errors.Value($"Invalid character in attribute name: {Representation.Repr(key)}");
            attributes.Add($"{Escaping.Escape(key).Text}=\"{Escaping.Escape(value).Text}\"");
        }
        string text = string.Join(' ', attributes);
        if ((!call.Has(1) || call.Truth(1)) && text.Length > 0) text = " " + text;
        return call.Rendering.AutoEscape ? new Markup(text) : text;
    }

    private static string FileSize(double bytes, bool binary)
    {
        double unit = binary ? 1024 : 1000;
        if (bytes == 1) return "1 Byte";
        if (bytes < unit) return $"{Representation.Repr(Numbers.Truncate(bytes))} Bytes";
        string[] prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
        double size = unit;
        for (int i = 0; ; i++)
        {
            if (bytes < size * unit || i == prefixes.Length - 1)
                return NumberText.Float(unit * bytes / (size * unit), 'f', 1, false) + " "
                    + (binary ? prefixes[i].ToUpperInvariant() + "iB" : prefixes[i] + "B");
            size *= unit;
        }
    }
}
