using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Python's text.format(...): fields in braces, whose attributes and items are reached for as the sandbox allows.</summary>
internal sealed class FormatMethod(Arguments arguments, DictValue? mapping, bool escape)
{
    private int next;
    private bool? automatic;

    public static string Apply(string format, Arguments arguments, DictValue? mapping, bool escape) =>
        new FormatMethod(arguments, mapping, escape).Run(format, 2);

    private string Run(string format, int depth)
    {
        if (depth < 0) throw Errors.Value("Max string recursion exceeded");
        StringBuilder text = new();
        for (int at = 0; at < format.Length;)
        {
            char c = format[at];
            if (c is not ('{' or '}'))
            {
                text.Append(c);
                at++;
            }
            else if (at + 1 < format.Length && format[at + 1] == c)
            {
                text.Append(c);
                at += 2;
            }
            else if (c == '}') throw Errors.Value("Single '}' encountered in format string");
            else
            {
                int end = FieldEnd(format, at + 1);
                text.Append(Field(format[(at + 1)..end], depth));
                at = end + 1;
                Budget.Output(0, text.Length / 64);
            }
        }
        Budget.Text(text.Length);
        return text.ToString();
    }

    private static int FieldEnd(string format, int start)
    {
        if (start == format.Length) throw Errors.Value("Single '{' encountered in format string");
        int depth = 1;
        for (int i = start; i < format.Length; i++)
        {
            depth += format[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0) return i;
        }
        throw Errors.Value("expected '}' before end of string");
    }

    private string Field(string field, int depth)
    {
        int bracket = 0, split = 0;
        while (split < field.Length && (bracket > 0 || field[split] is not ('!' or ':')))
        {
            if (field[split] == '[') bracket++;
            else if (field[split] == ']') bracket = 0;
            split++;
        }
        string name = field[..split];
        char conversion = '\0';
        if (split < field.Length && field[split] == '!')
        {
            if (split + 1 == field.Length) throw Errors.Value("end of string while looking for conversion specifier");
            conversion = field[split + 1];
            split += 2;
            if (split < field.Length && field[split] != ':') throw Errors.Value("expected ':' after conversion specifier");
        }
        string spec = split < field.Length ? field[(split + 1)..] : "";
        object? value = Find(name);
        value = conversion switch
        {
            '\0' => value,
            's' => Representation.Str(value),
            'r' => Representation.Repr(value),
            'a' => PercentFormat.Ascii(Representation.Repr(value)),
            _ => throw Errors.Value($"Unknown conversion specifier {conversion}"),
        };
        string expanded = spec.AsSpan().IndexOfAny('{', '}') < 0 ? spec : Run(spec, depth - 1);
        if (!escape) return FormatSpec.Apply(value, expanded);
        if (value is not Markup marked) return Escaping.EscapeText(FormatSpec.Apply(value, expanded));
        return expanded.Length == 0 ? marked.Text
            : throw Errors.Value($"Format specifier {expanded} given, but Markup does not define __html_format__.");
    }

    private object? Find(string name)
    {
        int split = name.AsSpan().IndexOfAny('.', '[');
        if (split < 0) split = name.Length;
        object? value = First(name[..split]);
        for (int at = split; at < name.Length;)
        {
            if (name[at] == '.')
            {
                int end = name.AsSpan(at + 1).IndexOfAny('.', '[');
                end = end < 0 ? name.Length : at + 1 + end;
                if (end == at + 1) throw Errors.Value("Empty attribute in format string");
                value = Subscript.Attribute(value, name[(at + 1)..end]);
                at = end;
            }
            else if (name[at] == '[')
            {
                int end = name.IndexOf(']', at);
                if (end < 0) throw Errors.Value("Missing ']' in format string");
                string key = name[(at + 1)..end];
                if (key.Length == 0) throw Errors.Value("Empty attribute in format string");
                value = Subscript.Item(value, key.All(char.IsAsciiDigit) && key.Length < 19 ? long.Parse(key) : key);
                at = end + 1;
            }
            else throw Errors.Value("Only '.' or '[' may follow ']' in format field specifier");
        }
        return value;
    }

    private object? First(string name)
    {
        bool isAutomatic = name.Length == 0;
        if (isAutomatic || name.All(char.IsAsciiDigit))
        {
            if (automatic is { } before && before != isAutomatic)
                throw Errors.Value(before ? "cannot switch from automatic field numbering to manual field specification"
                    : "cannot switch from manual field specification to automatic field numbering");
            automatic = isAutomatic;
            long index = isAutomatic ? next++ : name.Length < 10 ? long.Parse(name) : long.MaxValue;
            return index < arguments.Positional.Length ? arguments.Positional[index]
                : throw new TemplateException(TemplateErrorKind.Index, $"Replacement index {index} out of range for positional args tuple");
        }
        if (mapping is not null)
            return mapping.TryGetValue(name, out object? found) ? found
                : throw new TemplateException(TemplateErrorKind.Key, Representation.Repr(name));
        foreach ((string keyword, object? value) in arguments.Keywords)
            if (keyword == name) return value;
        throw new TemplateException(TemplateErrorKind.Key, Representation.Repr(name));
    }
}
