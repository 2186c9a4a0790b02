using System.Globalization;
using System.Text;

namespace Dataflow.Text.Tokenizers;

/// <summary>Classes, escapes and letters in any case.</summary>
internal sealed partial class PatternReader
{
    // In any case, these stand for one code point too (ß for ss), which Oniguruma finds.
    private static readonly string[] s_foldedTogether = ["ss", "ff", "fi", "fl", "st"];

    private CodePointSet Literal(int codePoint)
    {
        var set = new CodePointSet();
        set.Add(codePoint);
        if (ignoreCase)
        {
            AddCases(set, codePoint);
        }

        return set;
    }

    private void AddCases(CodePointSet set, int codePoint)
    {
        if (codePoint >= 128)
        {
            if (Rune.IsValid(codePoint) && Rune.IsLetter(new Rune(codePoint)))
            {
                throw Refuse("a letter beyond ASCII in any case: not supported");
            }

            return;
        }

        if (char.IsAsciiLetter((char)codePoint))
        {
            set.Add(codePoint ^ 0x20);
            switch (codePoint | 0x20)
            {
                case 'k':
                    set.Add(0x212A);
                    break;
                case 's':
                    set.Add(0x17F);
                    break;
                default:
                    break;
            }
        }
    }

    private CodePointSet Class()
    {
        if (++depth > DeepestNesting)
        {
            throw Refuse($"more than {DeepestNesting} groups in one another");
        }

        bool complement = Take("^");
        var all = (CodePointSet?)null;
        var set = new CodePointSet();
        bool first = true;
        while (true)
        {
            if (AtEnd)
            {
                throw Refuse("a class that does not end");
            }

            if (!first && Take("]"))
            {
                break;
            }

            if (Take("&&"))
            {
                all = Both(all, set);
                set = new();
            }
            else if (Take("[:"))
            {
                throw Refuse("a class in colons: not supported");
            }
            else if (Take("["))
            {
                set.Add(Class());
            }
            else
            {
                Member(set);
            }

            first = false;
        }

        depth--;
        all = Both(all, set);
        return complement ? all.Complement() : all;
    }

    private static CodePointSet Both(CodePointSet? one, CodePointSet other)
    {
        if (one is null)
        {
            return other;
        }

        one.Keep(other);
        return one;
    }

    private void Member(CodePointSet set)
    {
        int first = Next();
        if (first == '\\')
        {
            if (Shorthand(inClass: true) is { } named)
            {
                set.Add(named);
                return;
            }

            first = EscapedCodePoint(inClass: true);
        }

        int last = first;
        if (at + 1 < pattern.Length && pattern[at] == '-' && pattern[at + 1] is not (']' or '['))
        {
            at++;
            last = Next();
            if (last == '\\')
            {
                last = Shorthand(inClass: true) is null ? EscapedCodePoint(inClass: true) : throw Refuse("a range that ends with a class");
            }

            if (last < first)
            {
                throw Refuse("a range whose end is before its beginning");
            }
        }

        set.Add(first, last);
        if (ignoreCase)
        {
            if (last >= 128)
            {
                throw Refuse("a letter beyond ASCII in any case: not supported");
            }

            for (int i = first; i <= last; i++)
            {
                AddCases(set, i);
            }
        }
    }

    private PatternNode Escape()
    {
        if (Shorthand(inClass: false) is { } named)
        {
            return new PatternNode.One(named);
        }

        PatternNode.Place? place = (AtEnd ? '\0' : pattern[at]) switch
        {
            'A' => PatternNode.Place.TextStart,
            'z' => PatternNode.Place.TextEnd,
            'Z' => PatternNode.Place.LastLineEnd,
            'b' => PatternNode.Place.WordEdge,
            'B' => PatternNode.Place.NoWordEdge,
            _ => null,
        };
        if (place is { } anchor)
        {
            at++;
            return new PatternNode.Anchor(anchor);
        }

        return new PatternNode.One(Literal(EscapedCodePoint(inClass: false)));
    }

    private CodePointSet? Shorthand(bool inClass)
    {
        if (AtEnd)
        {
            throw Refuse("no end");
        }

        char kind = pattern[at];
        CodePointSet? set = char.ToLowerInvariant(kind) switch
        {
            's' => PatternClasses.Space,
            'd' => PatternClasses.Digit,
            'w' => inClass ? PatternClasses.WordInClass : PatternClasses.Word,
            'h' => PatternClasses.Hexadecimal,
            'p' => null,
            _ => null,
        };
        if (set is not null)
        {
            at++;
            return char.IsUpper(kind) ? set.Complement() : set;
        }

        if (kind is not ('p' or 'P'))
        {
            return null;
        }

        int end = pattern.IndexOf('}', at);
        if (at + 1 >= pattern.Length || pattern[at + 1] != '{' || end < 0)
        {
            throw Refuse("a property without its name in braces");
        }

        string name = pattern[(at + 2)..end];
        bool complement = kind == 'P' ^ name.StartsWith('^');
        set = PatternClasses.Named(name.TrimStart('^')) ?? throw Refuse($"the property '{name}', which is not supported");
        at = end + 1;
        return complement ? set.Complement() : set;
    }

    private int EscapedCodePoint(bool inClass)
    {
        int codePoint = Next();
        switch (codePoint)
        {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case 'b' when inClass:
                return '\b';
            case 'x' when Take("{"):
                int end = pattern.IndexOf('}', at);
                return end < 0 ? throw Refuse("no end") : Hexadecimal(end - at, 1);
            case 'x':
                return Hexadecimal(2, 0);
            case 'u':
                return Hexadecimal(4, 0);
            case '0' when AtEnd || !char.IsAsciiDigit(pattern[at]):
                return 0;
            default:
                return codePoint < 128 && char.IsAsciiLetterOrDigit((char)codePoint)
                    ? throw Refuse($"'\\{(char)codePoint}', which is not supported")
                    : codePoint;
        }
    }

    private int Hexadecimal(int digits, int after)
    {
        if (digits is < 1 or > 8 || at + digits > pattern.Length
            || !int.TryParse(pattern.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            || value is < 0 or >= CodePoints.Count || (value < 0x100 && value >= 0x80 && after == 0 && digits == 2))
        {
            throw Refuse("a number of a code point that is none");
        }

        at += digits + after;
        return value;
    }
}
