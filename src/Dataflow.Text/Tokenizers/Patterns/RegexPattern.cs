using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// A pattern in Oniguruma's notation, over code points. It goes back by a stack of its own, so that a word of a million letters needs no
/// deep calls, and gives up on patterns that would go back without end.
/// </summary>
internal sealed class RegexPattern : IPattern
{
    private readonly PatternStep[] steps;
    private readonly CodePointSet? first;
    private readonly string source;
    private readonly Lazy<LineStartEffect> atLineStarts;

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="UserErrorException">It cannot be read here.</exception>
    public RegexPattern(string pattern)
    {
        source = pattern;
        var node = PatternReader.Read(pattern);
        steps = PatternProgram.Of(node);
        first = node.First;
        atLineStarts = new(() => LineStartPatterns.EffectOf(node, this));
    }

    /// <summary>Its notation.</summary>
    public string Notation => source;

    /// <inheritdoc/>
    public LineStartEffect AtLineStarts => atLineStarts.Value;

    /// <inheritdoc/>
    public void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        if (text.Length == 0)
        {
            matches.Add(new(0, 0, false));
            return;
        }

        var search = new PatternSearch(steps, text, source);
        int between = 0;
        int at = 0;
        int lastEnd = -1;
        while (at <= text.Length)
        {
            if (first is not null)
            {
                at = Skip(text, at);
            }

            if (at > text.Length || (at == text.Length && first is not null))
            {
                break;
            }

            int end = search.Match(at);
            if (end < 0 || (end == at && end == lastEnd))
            {
                // An empty match right behind the last one is none: so the search goes on.
                at += Length(text, at);
                continue;
            }

            if (between != at)
            {
                matches.Add(new(between, at, false));
            }

            matches.Add(new(at, end, true));
            between = lastEnd = at = end;
        }

        if (between != text.Length)
        {
            matches.Add(new(between, text.Length, false));
        }
    }

    private static int Length(ReadOnlySpan<char> text, int at)
    {
        int length = 1;
        if (at < text.Length)
        {
            CodePoints.At(text, at, out length);
        }

        return length;
    }

    private int Skip(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length)
        {
            if (first![CodePoints.At(text, at, out int length)])
            {
                break;
            }

            at += length;
        }

        return at;
    }
}
