using System.Text;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates.Builtins;

/// <summary>Python's pprint, of what fits a line: mappings with their keys sorted. Where it would break lines, it is refused.</summary>
internal static class PrettyText
{
    private const int Width = 80;

    public static string Of(object? value)
    {
        StringBuilder text = new();
        Append(text, value);
        if (CodePoints.Count(text.ToString()) > Width) throw Errors.Unsupported(
            $"pprint of more than {Width} characters, which breaks lines");
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value)
    {
        Execution.Budget.CheckStack();
        switch (value)
        {
            case DictValue dict:
                text.Append('{');
                List<KeyValuePair<object?, object?>> pairs = Ordering.Sort(dict.Pairs.ToList(), p => p.Key, reverse: false);
                for (int i = 0; i < pairs.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "").Append(Representation.Repr(pairs[i].Key)).Append(": ");
                    Append(text, pairs[i].Value);
                }
                text.Append('}');
                break;
            case ListValue list: Items(text, '[', list.Items, "]"); break;
            case TupleValue tuple: Items(text, '(', tuple.Items, tuple.Items.Length == 1 ? ",)" : ")"); break;
            default: text.Append(Representation.Repr(value)); break;
        }
    }

    private static void Items(StringBuilder text, char open, IReadOnlyList<object?> items, string close)
    {
        text.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(", ");
            Append(text, items[i]);
        }
        text.Append(close);
    }
}
