using System.Globalization;
using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>JSON as Python's json.dumps writes it.</summary>
internal sealed class JsonText
{
    private readonly StringBuilder text = new();
    private readonly bool ascii;
    private readonly string? indent;
    private readonly string itemSeparator;
    private readonly string keySeparator;
    private readonly bool sorted;

    private JsonText(Invocation call)
    {
        ascii = call.Truth(1);
        sorted = call.Truth(4);
        indent = call.Or(2, null) switch
        {
            null => null,
            string or Markup => Equality.Text(call[2]),
            var width => Arithmetic.Repeated(" ", Math.Max(0, Numbers.ToIndex(width))),
        };
        (itemSeparator, keySeparator) = (indent is null ? ", " : ",", ": ");
        if (call.Or(3, null) is not { } separators) return;
        object?[] pair = Iteration.Unpack(separators, 2);
        (itemSeparator, keySeparator) = (RequiredText(pair[0]), RequiredText(pair[1]));
    }

    public static object Of(Invocation call)
    {
        JsonText json = new(call);
        json.Append(call[0], 0);
        Budget.Text(json.text.Length);
        return json.text.ToString();
    }

    private static string RequiredText(object? value) =>
        Equality.Text(value) ?? throw Errors.Type($"separators must be str, not {TypeNames.Of(value)}");

    private void Append(object? value, int depth)
    {
        Budget.Step();
        Budget.Output(text.Length, 0);
        switch (value)
        {
            case null: text.Append("null"); break;
            case bool b: text.Append(b ? "true" : "false"); break;
            case long or BigInteger: text.Append(Representation.Repr(value)); break;
            case double d: text.Append(Number(d)); break;
            case string or Markup: Quoted(Equality.Text(value)!); break;
            case ListValue list: Items(list.Items, depth); break;
            case TupleValue tuple: Items(tuple.Items, depth); break;
            case DictValue dict: Pairs(dict, depth); break;
            default: throw Errors.Type($"Object of type {TypeNames.Of(value)} is not JSON serializable");
        }
    }

    private static string Number(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? value > 0 ? "Infinity" : "-Infinity" : FloatText.Repr(value);

    private void Items(IReadOnlyList<object?> items, int depth)
    {
        Budget.CheckStack();
        if (items.Count == 0)
        {
            text.Append("[]");
            return;
        }
        text.Append('[');
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(itemSeparator);
            NewLine(depth + 1);
            Append(items[i], depth + 1);
        }
        NewLine(depth);
        text.Append(']');
    }

    private void Pairs(DictValue dict, int depth)
    {
        Budget.CheckStack();
        if (dict.Count == 0)
        {
            text.Append("{}");
            return;
        }
        IEnumerable<KeyValuePair<object?, object?>> pairs = dict.Pairs;
        if (sorted) pairs = Ordering.Sort(dict.Pairs.ToList(), p => p.Key, reverse: false);
        text.Append('{');
        bool first = true;
        foreach ((object? key, object? value) in pairs)
        {
            if (!first) text.Append(itemSeparator);
            first = false;
            NewLine(depth + 1);
            Quoted(Key(key));
            text.Append(keySeparator);
            Append(value, depth + 1);
        }
        NewLine(depth);
        text.Append('}');
    }

    private static string Key(object? key) => key switch
    {
        null => "null",
        bool b => b ? "true" : "false",
        long or BigInteger => Representation.Repr(key),
        double d => Number(d),
        string or Markup => Equality.Text(key)!,
        _ => throw Errors.Type($"keys must be str, int, float, bool or None, not {TypeNames.Of(key)}"),
    };

    private void NewLine(int depth)
    {
        if (indent is null) return;
        Budget.Output(text.Length, checked(indent.Length * depth + 1));
        text.Append('\n');
        for (int i = 0; i < depth; i++) text.Append(indent);
    }

    private void Quoted(string value)
    {
        Budget.Text(value.Length);
        text.Append('"');
        foreach (char c in value)
        {
            switch (c)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\f': text.Append("\\f"); break;
                case '\b': text.Append("\\b"); break;
                default:
                    if (c < ' ' || (ascii && c > '~')) text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else text.Append(c);
                    break;
            }
        }
        text.Append('"');
    }
}
