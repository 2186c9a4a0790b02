using System.Globalization;
using System.Numerics;
using System.Text;
using Dataflow.Text.Templates.Execution;

namespace Dataflow.Text.Templates.Values;

/// <summary>Python's str() and repr().</summary>
internal static class Representation
{
    public static string Str(object? value) => value switch
    {
        string s => s,
        Markup m => m.Text,
        Undefined => "",
        _ => Repr(value),
    };

    public static string Repr(object? value)
    {
        StringBuilder text = new();
        Append(text, value);
        return text.ToString();
    }

    public static string Integer(BigInteger value)
    {
        // The first power of ten with a digit too many has 14284 bits.
        if (value.GetBitLength() > 14280 && BigInteger.Abs(value) >= BigInteger.Pow(10, Numbers.MaximumDigits))
            throw Errors.Value($"Exceeds the limit ({Numbers.MaximumDigits} digits) for integer string conversion");
        return value.ToString(CultureInfo.InvariantCulture);
    }

    private static void Append(StringBuilder text, object? value)
    {
        Budget.Step();
        switch (value)
        {
            case null: text.Append("None"); break;
            case bool b: text.Append(b ? "True" : "False"); break;
            case long l: text.Append(l.ToString(CultureInfo.InvariantCulture)); break;
            case BigInteger big: text.Append(Integer(big)); break;
            case double d: text.Append(FloatText.Repr(d)); break;
            case string s: Quoted(text, s); break;
            case Markup m:
                text.Append("Markup(");
                Quoted(text, m.Text);
                text.Append(')');
                break;
            case Undefined: text.Append("Undefined"); break;
            case ListValue list: Items(text, "[", list.Items, "]"); break;
            case TupleValue tuple: Items(text, "(", tuple.Items, tuple.Items.Length == 1 ? ",)" : ")"); break;
            case DictValue dict: Pairs(text, dict); break;
            case DictView view:
                Items(text, $"{TypeNames.Of(view)}([", [.. view.Items], "])");
                break;
            case RangeValue range:
                string step = range.Step == 1 ? "" : ", " + Repr(range.Step);
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}{step})");
                break;
            case BytesValue bytes: Bytes(text, bytes.Bytes); break;
            case NamespaceValue ns:
                text.Append("<Namespace ");
                Append(text, ns.Attributes);
                text.Append('>');
                break;
            case LoopContext loop: text.Append(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index}/{loop.Length}>"); break;
            case Macro macro: text.Append(macro.IsCaller ? "<Macro anonymous>" : $"<Macro {Repr(macro.Name)}>"); break;
            case Callable { PrintedAs: { } printed }: text.Append(printed); break;
            default:
                throw Errors.Unsupported(
                    $"the text of a {TypeNames.Of(value)}, which is an address of memory (a call may have been meant)");
        }
    }

    private static void Items(StringBuilder text, string open, IReadOnlyList<object?> items, string close)
    {
        Budget.CheckStack();
        text.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(", ");
            Append(text, items[i]);
        }
        text.Append(close);
        Budget.Text(text.Length);
    }

    private static void Pairs(StringBuilder text, DictValue dict)
    {
        Budget.CheckStack();
        text.Append('{');
        for (int i = 0; i < dict.Count; i++)
        {
            if (i > 0) text.Append(", ");
            Append(text, dict.Pairs[i].Key);
            text.Append(": ");
            Append(text, dict.Pairs[i].Value);
        }
        text.Append('}');
        Budget.Text(text.Length);
    }

    private static void Quoted(StringBuilder text, string value)
    {
        Budget.Text(value.Length);
        char quote = value.Contains('\'', StringComparison.Ordinal) && !value.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote);
        for (int i = 0; i < value.Length; i++)
        {
            char c = value[i];
            if (c == quote || c == '\\') text.Append('\\').Append(c);
            else if (c is >= ' ' and < '\x7f') text.Append(c);
            else if (c == '\n') text.Append("\\n");
            else if (c == '\r') text.Append("\\r");
            else if (c == '\t') text.Append("\\t");
            else i += Other(text, value, i) - 1;
        }
        text.Append(quote);
    }

    // Returns how many chars the character takes.
    private static int Other(StringBuilder text, string value, int at)
    {
        if (Rune.TryGetRuneAt(value, at, out Rune rune) && IsPrintable(rune))
        {
            text.Append(rune.ToString());
            return rune.Utf16SequenceLength;
        }
        bool whole = Rune.TryGetRuneAt(value, at, out rune);
        int code = whole ? rune.Value : value[at];
        text.Append(code switch
        {
            <= 0xff => $"\\x{code:x2}",
            <= 0xffff => $"\\u{code:x4}",
            _ => $"\\U{code:x8}",
        });
        return whole ? rune.Utf16SequenceLength : 1;
    }

    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
        or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    private static void Bytes(StringBuilder text, byte[] bytes)
    {
        char quote = bytes.Contains((byte)'\'') && !bytes.Contains((byte)'"') ? '"' : '\'';
        text.Append('b').Append(quote);
        foreach (byte b in bytes)
        {
            if (b == quote || b == '\\') text.Append('\\').Append((char)b);
            else if (b == '\n') text.Append("\\n");
            else if (b == '\r') text.Append("\\r");
            else if (b == '\t') text.Append("\\t");
            else if (b is >= 0x20 and < 0x7f) text.Append((char)b);
            else text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
        }
        text.Append(quote);
    }
}
