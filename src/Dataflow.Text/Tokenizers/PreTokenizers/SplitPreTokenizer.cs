using System.Runtime.InteropServices;

namespace Dataflow.Text.Tokenizers;

/// <summary>Cuts where a pattern finds something.</summary>
internal sealed class SplitPreTokenizer(IPattern pattern, SplitBehavior behavior) : PreTokenizer
{
    private readonly Lazy<LineStartEffect> atLineStarts = new(() => (pattern.AtLineStarts, behavior) switch
    {
        (LineStartEffect.Cuts, SplitBehavior.Isolated or SplitBehavior.Removed) => LineStartEffect.Cuts,
        (LineStartEffect.Passes, _) => LineStartEffect.Passes,
        _ => LineStartEffect.Unknown,
    });

    [ThreadStatic]
    private static List<Match>? t_matches;

    /// <summary>The notation of a pattern whose matches are pieces of their own; null for any other.</summary>
    public string? IsolatedNotation => behavior == SplitBehavior.Isolated ? (pattern as RegexPattern)?.Notation : null;

    /// <inheritdoc/>
    public override WordSplitter? Splitter => behavior == SplitBehavior.Isolated ? pattern as WordSplitter : null;

    /// <inheritdoc/>
    public override LineStartEffect AtLineStarts => atLineStarts.Value;

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<PieceRange> pieces)
    {
        var matches = t_matches ?? [];
        t_matches = null;
        matches.Clear();
        pattern.Find(text, matches);
        Cut(CollectionsMarshal.AsSpan(matches), pieces);
        t_matches = matches;
    }

    private void Cut(ReadOnlySpan<Match> matches, List<PieceRange> pieces)
    {
        bool previous = false;
        int first = pieces.Count;
        switch (behavior)
        {
            case SplitBehavior.Removed:
                foreach (var (start, end, isMatch) in matches)
                {
                    if (!isMatch)
                    {
                        pieces.Add(new(start, end));
                    }
                }

                break;
            case SplitBehavior.Isolated:
                foreach (var (start, end, _) in matches)
                {
                    pieces.Add(new(start, end));
                }

                break;
            case SplitBehavior.MergedWithNext:
                for (int i = matches.Length - 1; i >= 0; i--)
                {
                    var (start, end, isMatch) = matches[i];
                    if (isMatch && !previous && pieces.Count > first)
                    {
                        pieces[^1] = pieces[^1] with { Start = start };
                    }
                    else
                    {
                        pieces.Add(new(start, end));
                    }

                    previous = isMatch;
                }

                pieces.Reverse(first, pieces.Count - first);
                break;
            default:
                foreach (var (start, end, isMatch) in matches)
                {
                    bool joins = behavior == SplitBehavior.Contiguous ? isMatch == previous : isMatch && !previous;
                    if (joins && pieces.Count > first)
                    {
                        pieces[^1] = pieces[^1] with { End = end };
                    }
                    else
                    {
                        pieces.Add(new(start, end));
                    }

                    previous = isMatch;
                }

                break;
        }
    }
}
