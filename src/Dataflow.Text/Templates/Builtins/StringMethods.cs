using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Syntax;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>The methods of text.</summary>
internal static class StringMethods
{
    public static readonly IReadOnlyDictionary<string, Builtin> All = new[]
    {
        Of("capitalize", "/", (text, _) => CaseMapping.Capitalize(text)),
        Of("casefold", "/", (text, _) => CaseMapping.Fold(text)),
        Of("lower", "/", (text, _) => CaseMapping.Lower(text)),
        Of("upper", "/", (text, _) => CaseMapping.Upper(text)),
        Of("title", "/", (text, _) => CaseMapping.Title(text)),
        Of("swapcase", "/", (text, _) => CaseMapping.Swap(text)),
        Of("center", "/ width fill?", (text, i) => Justify(text, i, Side.Both)),
        Of("ljust", "/ width fill?", (text, i) => Justify(text, i, Side.Right)),
        Of("rjust", "/ width fill?", (text, i) => Justify(text, i, Side.Left)),
        Of("zfill", "/ width", (text, i) => ZeroFill(text, i.Index(0, 0))),
        Of("expandtabs", "tabsize?", (text, i) => ExpandTabs(text, i.Index(0, 8))),
        Of("strip", "/ chars?", (text, i) => StringSplitting.Strip(text, OptionalText(i, 0), true, true)),
        Of("lstrip", "/ chars?", (text, i) => StringSplitting.Strip(text, OptionalText(i, 0), true, false)),
        Of("rstrip", "/ chars?", (text, i) => StringSplitting.Strip(text, OptionalText(i, 0), false, true)),
        Of("removeprefix", "/ prefix", (text, i) => text.StartsWith(i.Text(0), StringComparison.Ordinal) ? text[i.Text(0).Length..] : text),
        Of("removesuffix", "/ suffix", (text, i) => text.EndsWith(i.Text(0), StringComparison.Ordinal) ? text[..^i.Text(0).Length] : text),
        Of("replace", "/ old new count?", (text, i) => StringSearch.Replace(text, i.Text(0), i.Text(1), i.Index(2, -1))),
        Of("split", "sep? maxsplit?", (_, i) => StringSplitting.Split(i, fromRight: false)),
        Of("rsplit", "sep? maxsplit?", (_, i) => StringSplitting.Split(i, fromRight: true)),
        Of("splitlines", "keepends?", (text, i) => new ListValue(StringSplitting.Lines(text, i.Truth(0)).ToList<object?>())),
        Of("partition", "/ sep", (_, i) => StringSplitting.Partition(i, fromRight: false)),
        Of("rpartition", "/ sep", (_, i) => StringSplitting.Partition(i, fromRight: true)),
        Of("find", "/ sub start? end?", (_, i) => StringSearch.Find(i, fromRight: false)),
        Of("rfind", "/ sub start? end?", (_, i) => StringSearch.Find(i, fromRight: true)),
        Of("index", "/ sub start? end?", (_, i) => StringSearch.Index(i, fromRight: false)),
        Of("rindex", "/ sub start? end?", (_, i) => StringSearch.Index(i, fromRight: true)),
        Of("count", "/ sub start? end?", (_, i) => StringSearch.Count(i)),
        Of("startswith", "/ prefix start? end?", (_, i) => StringSearch.Affix(i, atEnd: false)),
        Of("endswith", "/ suffix start? end?", (_, i) => StringSearch.Affix(i, atEnd: true)),
        Of("join", "/ iterable", (text, i) => Join(text, i[0])),
        Of("format", "*", (text, i) => FormatMethod.Apply(text, i.All, null, escape: false)),
        Of("format_map", "/ mapping", (text, i) => FormatMethod.Apply(text, Arguments.None, Mapping(i), escape: false)),
        Of("encode", "encoding? errors?", Encode),
        Of("maketrans", "/ x y? z?", (_, i) => Translation(i)),
        Of("translate", "/ table", (text, i) => Translate(text, i[0])),
        Of("isalpha", "/", (text, _) => Every(text, Characters.IsAlphabetic)),
        Of("isalnum", "/", (text, _) => Every(text, Characters.IsAlphanumeric)),
        Of("isdecimal", "/", (text, _) => Every(text, Characters.IsDecimal)),
        Of("isdigit", "/", (text, _) => Every(text, Characters.IsDigit)),
        Of("isnumeric", "/", (text, _) => Every(text, Characters.IsNumeric)),
        Of("isspace", "/", (text, _) => Every(text, Characters.IsSpace)),
        Of("isprintable", "/", (text, _) => text.Length == 0 || Every(text, Representation.IsPrintable)),
        Of("isascii", "/", (text, _) => text.All(char.IsAscii)),
        Of("isidentifier", "/", (text, _) => Characters.IsIdentifier(text)),
        Of("islower", "/", (text, _) => CaseMapping.IsLower(text)),
        Of("isupper", "/", (text, _) => CaseMapping.IsUpper(text)),
        Of("istitle", "/", (text, _) => CaseMapping.IsTitle(text)),
    }.ToDictionary(m => m.Name);

    public static string Self(Invocation call) => Equality.Text(call.Self)!;

    /// <summary>What format_map is given.</summary>
    public static DictValue Mapping(Invocation call) =>
        call[0] as DictValue ?? throw Errors.Type($"'{TypeNames.Of(call[0])}' object is not subscriptable by names");

    public static string Join(string separator, object? items)
    {
        if (!Iteration.IsIterable(items)) throw Errors.Type("can only join an iterable");
        List<object?> all = Iteration.ToList(items);
        List<string> texts = new(all.Count);
        long length = 0;
        foreach (object? item in all)
        {
            texts.Add(Equality.Text(item)
                ?? throw Errors.Type($"sequence item {texts.Count}: expected str instance, {TypeNames.Of(item)} found"));
            length += texts[^1].Length + separator.Length;
        }
        Budget.Text(length);
        return string.Join(separator, texts);
    }

    /// <summary>Text in the middle of so many characters.</summary>
    public static string Center(string text, long width, string fill = " ")
    {
        long missing = width - CodePoints.Count(text);
        if (missing <= 0) return text;
        // Where the spaces do not divide, Python gives the one left over by the width's oddness.
        long left = missing / 2 + (missing & width & 1);
        return Arithmetic.Repeated(fill, left) + text + Arithmetic.Repeated(fill, missing - left);
    }

    private static Builtin Of(string name, string parameters, Func<string, Invocation, object?> body) =>
        new(name, new Parameters(parameters), i =>
        {
            string text = Self(i);
            Budget.Spend(text.Length / 32);
            return body(text, i);
        });

    private static string? OptionalText(Invocation call, int index) => call.Or(index, null) is null ? null
        : Equality.Text(call[index]) ?? throw Errors.Type($"strip arg must be None or str, not {TypeNames.Of(call[index])}");

    private static bool Every(string text, Func<Rune, bool> test)
    {
        if (text.Length == 0) return false;
        Budget.Spend(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            if (!test(rune)) return false;
        return true;
    }

    private enum Side
    {
        Left,
        Right,
        Both,
    }

    private static string Justify(string text, Invocation call, Side side)
    {
        long width = call.Index(0, 0);
        string fill = call.Has(1) ? call.Text(1) : " ";
        if (CodePoints.Count(fill) != 1) throw Errors.Type("The fill character must be exactly one character long");
        long missing = width - CodePoints.Count(text);
        if (missing <= 0) return text;
        Budget.Text(width);
        return side switch
        {
            Side.Left => Arithmetic.Repeated(fill, missing) + text,
            Side.Right => text + Arithmetic.Repeated(fill, missing),
            _ => Center(text, width, fill),
        };
    }

    private static string ZeroFill(string text, long width)
    {
        long missing = width - CodePoints.Count(text);
        if (missing <= 0) return text;
        string zeros = Arithmetic.Repeated("0", missing);
        return text.Length > 0 && text[0] is '+' or '-' ? text[..1] + zeros + text[1..] : zeros + text;
    }

    private static string ExpandTabs(string text, long size)
    {
        StringBuilder expanded = new();
        long column = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value == '\t')
            {
                long spaces = size > 0 ? size - column % size : 0;
                expanded.Append(Arithmetic.Repeated(" ", spaces));
                column += spaces;
                continue;
            }
            expanded.Append(rune.ToString());
            column = rune.Value is '\n' or '\r' ? 0 : column + 1;
        }
        return expanded.ToString();
    }

    private static BytesValue Encode(string text, Invocation call)
    {
        string name = call.Has(0) ? call.Text(0).ToLowerInvariant().Replace('_', '-') : "utf-8";
        if (name is not ("utf-8" or "utf8" or "ascii")) throw Errors.Unsupported($"the character set {name}");
        if (name == "ascii" && !text.All(char.IsAscii))
            throw new TemplateException(TemplateErrorKind.Encoding, "'ascii' codec can't encode characters: ordinal not in range(128)");
        Budget.Text(text.Length);
        return new BytesValue(Encoding.UTF8.GetBytes(text));
    }

    private static DictValue Translation(Invocation call)
    {
        DictValue table = new();
        if (!call.Has(1))
        {
            if (call[0] is not DictValue given) throw Errors.Type("if you give only one argument to maketrans it must be a dict");
            foreach ((object? key, object? value) in given.Pairs)
                table[Equality.Text(key) is { } text ? (long)CodePoints.Values(text).Single() : key] = value;
            return table;
        }
        int[] from = CodePoints.Values(call.Text(0)), to = CodePoints.Values(call.Text(1));
        if (from.Length != to.Length) throw Errors.Value("the first two maketrans arguments must have equal length");
        for (int i = 0; i < from.Length; i++) table[(long)from[i]] = (long)to[i];
        if (call.Has(2))
            foreach (int dropped in CodePoints.Values(call.Text(2))) table[(long)dropped] = null;
        return table;
    }

    private static string Translate(string text, object? table)
    {
        StringBuilder translated = new();
        foreach (string character in CodePoints.Split(text))
        {
            long code = CodePoints.Values(character)[0];
            object? mapped = table is DictValue dict ? dict.TryGetValue(code, out object? found) ? found : character
                : Subscript.Item(table, code);
            translated.Append(mapped switch
            {
                null => "",
                long number when Rune.IsValid((int)number) => new Rune((int)number).ToString(),
                Undefined => character,
                _ => Equality.Text(mapped) ?? throw Errors.Type("character mapping must return integer, None or str"),
            });
            Budget.Output(0, translated.Length / 64);
        }
        return translated.ToString();
    }
}
