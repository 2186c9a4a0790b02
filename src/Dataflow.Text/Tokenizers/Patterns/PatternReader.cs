using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Reads a pattern in Oniguruma's notation (its Ruby syntax, which tokenizers are written in). What it does not know it refuses, so that
/// no pattern means here what it does not mean there.
/// </summary>
internal sealed partial class PatternReader
{
    private const int DeepestNesting = 100;
    private const int MostRepetitions = 1000;

    private readonly string pattern;
    private int at;
    private int depth;
    private bool ignoreCase;
    private bool dotIsAll;

    private PatternReader(string pattern) => this.pattern = pattern;

    private bool AtEnd => at >= pattern.Length;

    /// <summary>The pattern of a text.</summary>
    /// <exception cref="UserErrorException">It cannot be read here.</exception>
    public static PatternNode Read(string pattern)
    {
        var reader = new PatternReader(pattern);
        var node = reader.Choice();
        return reader.AtEnd ? node : throw reader.Refuse("a ')' that closes nothing");
    }

    private UserErrorException Refuse(string what) =>
        new($"the pattern '{(pattern.Length > 200 ? pattern[..200] + "..." : pattern)}' has {what}, at its character {at + 1}");

    private bool Take(string text)
    {
        if (string.CompareOrdinal(pattern, at, text, 0, text.Length) != 0)
        {
            return false;
        }

        at += text.Length;
        return true;
    }

    private int Next()
    {
        if (AtEnd)
        {
            throw Refuse("no end");
        }

        int codePoint = CodePoints.At(pattern, at, out int length);
        at += length;
        return codePoint;
    }

    private PatternNode Choice()
    {
        if (++depth > DeepestNesting)
        {
            throw Refuse($"more than {DeepestNesting} groups in one another");
        }

        var (caseBefore, dotBefore) = (ignoreCase, dotIsAll);
        var parts = new List<PatternNode> { Sequence() };
        while (Take("|"))
        {
            parts.Add(Sequence());
        }

        (ignoreCase, dotIsAll) = (caseBefore, dotBefore);
        depth--;
        return parts.Count == 1 ? parts[0] : new PatternNode.Choice(parts);
    }

    private PatternNode Sequence()
    {
        var parts = new List<PatternNode>();
        string literal = "";
        while (!AtEnd && pattern[at] is not ('|' or ')'))
        {
            int from = at;
            var part = Repeated(Atom());
            parts.Add(part);
            literal = part is PatternNode.One && at - from == 1 ? literal + char.ToLowerInvariant(pattern[from]) : "";
            if (ignoreCase && s_foldedTogether.FirstOrDefault(f => literal.EndsWith(f, StringComparison.Ordinal)) is { } folded)
            {
                throw Refuse($"'{folded}' in any case, which stands for a ligature too: not supported");
            }
        }

        return parts.Count == 1 ? parts[0] : new PatternNode.Sequence(parts);
    }

    private PatternNode Repeated(PatternNode node)
    {
        while (!AtEnd)
        {
            int from = at;
            int least;
            int most;
            bool interval = false;
            if (Take("*"))
            {
                (least, most) = (0, int.MaxValue);
            }
            else if (Take("+"))
            {
                (least, most) = (1, int.MaxValue);
            }
            else if (Take("?"))
            {
                (least, most) = (0, 1);
            }
            else if (pattern[at] == '{' && Interval(out least, out most))
            {
                interval = true;
            }
            else
            {
                return node;
            }

            if (node is PatternNode.Anchor or PatternNode.Look || node.Shortest == 0)
            {
                at = from;
                throw Refuse("a repetition of what can be empty: not supported");
            }

            // After an interval, + is a repetition of its own, and so is ? where the interval is one number.
            var kind = interval
                ? least != most && Take("?") ? PatternNode.Repetition.Lazy : PatternNode.Repetition.Greedy
                : Take("?") ? PatternNode.Repetition.Lazy
                : Take("+") ? PatternNode.Repetition.Possessive
                : PatternNode.Repetition.Greedy;
            node = new PatternNode.Repeat(node, least, most, kind);
        }

        return node;
    }

    private bool Interval(out int least, out int most)
    {
        (least, most) = (0, 0);
        int end = pattern.IndexOf('}', at);
        if (end < 0)
        {
            return false;
        }

        string[] parts = pattern[(at + 1)..end].Split(',');
        if (parts.Length > 2 || !parts.All(p => p.All(char.IsAsciiDigit) && p.Length < 6) || parts.All(p => p.Length == 0))
        {
            return false;
        }

        least = parts[0].Length == 0 ? 0 : int.Parse(parts[0], CultureInfo.InvariantCulture);
        most = parts.Length == 1 ? least : parts[1].Length == 0 ? int.MaxValue : int.Parse(parts[1], CultureInfo.InvariantCulture);
        if (least > MostRepetitions || (most > MostRepetitions && most != int.MaxValue) || most < least || most == 0)
        {
            throw Refuse($"a repetition that is not from 0 or 1 to {MostRepetitions} in order: not supported");
        }

        at = end + 1;
        return true;
    }

    private PatternNode Atom()
    {
        int from = at;
        int codePoint = Next();
        switch (codePoint)
        {
            case '(':
                return Group();
            case '[':
                return new PatternNode.One(Class());
            case '.':
                return new PatternNode.One(dotIsAll ? PatternClasses.All : PatternClasses.NoLineFeed);
            case '^':
                return new PatternNode.Anchor(PatternNode.Place.LineStart);
            case '$':
                return new PatternNode.Anchor(PatternNode.Place.LineEnd);
            case '\\':
                return Escape();
            case '*' or '+' or '?':
                at = from;
                throw Refuse("a repetition of nothing");
            default:
                return new PatternNode.One(Literal(codePoint));
        }
    }

    private PatternNode Group()
    {
        if (!Take("?"))
        {
            return Close(Choice());
        }

        if (Take(":"))
        {
            return Close(Choice());
        }

        if (Take("="))
        {
            return new PatternNode.Look(Close(Choice()), false, false);
        }

        if (Take("!"))
        {
            return new PatternNode.Look(Close(Choice()), false, true);
        }

        if (Take("<="))
        {
            return Behind(negative: false);
        }

        if (Take("<!"))
        {
            return Behind(negative: true);
        }

        if (Take(">"))
        {
            return new PatternNode.Atomic(Close(Choice()));
        }

        if (Take("<"))
        {
            int end = pattern.IndexOf('>', at);
            at = end < 0 ? throw Refuse("no end") : end + 1;
            return Close(Choice());
        }

        return Options();
    }

    private PatternNode Options()
    {
        bool value = true;
        var (caseBefore, dotBefore) = (ignoreCase, dotIsAll);
        while (true)
        {
            switch (Next())
            {
                case 'i':
                    ignoreCase = value;
                    break;
                case 'm':
                    dotIsAll = value;
                    break;
                case '-':
                    value = false;
                    break;
                case ':':
                    var inner = Close(Choice());
                    (ignoreCase, dotIsAll) = (caseBefore, dotBefore);
                    return inner;
                case ')':
                    // Options without a colon hold up to the end of the group that they stand in, alternatives included.
                    return Rest();
                default:
                    at--;
                    throw Refuse("a kind of group that is not supported");
            }
        }
    }

    private PatternNode Rest()
    {
        var parts = new List<PatternNode> { Sequence() };
        while (Take("|"))
        {
            parts.Add(Sequence());
        }

        return parts.Count == 1 ? parts[0] : new PatternNode.Choice(parts);
    }

    private PatternNode.Look Behind(bool negative)
    {
        var inner = Close(Choice());
        return inner.Width is null
            ? throw Refuse("a look behind of more than one length: not supported")
            : new PatternNode.Look(inner, true, negative);
    }

    private PatternNode Close(PatternNode inner) => Take(")") ? inner : throw Refuse("a group that does not end");
}
