namespace Dataflow.Text.Tokenizers;

/// <summary>A pattern as it was read.</summary>
internal abstract record PatternNode
{
    private const int Long = 1 << 20;

    /// <summary>One code point of a set.</summary>
    public sealed record One(CodePointSet Set) : PatternNode;

    /// <summary>One after the other.</summary>
    public sealed record Sequence(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>The first that leads on.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>Some times.</summary>
    public sealed record Repeat(PatternNode Inner, int Least, int Most, Repetition Kind) : PatternNode;

    /// <summary>What must, or must not, stand here.</summary>
    public sealed record Look(PatternNode Inner, bool Behind, bool Negative) : PatternNode;

    /// <summary>What is not gone back into.</summary>
    public sealed record Atomic(PatternNode Inner) : PatternNode;

    /// <summary>A kind of place.</summary>
    public sealed record Anchor(Place Where) : PatternNode;

    /// <summary>How a repetition prefers.</summary>
    public enum Repetition
    {
        /// <summary>As often as it goes, and fewer on the way back.</summary>
        Greedy,

        /// <summary>As seldom as it goes.</summary>
        Lazy,

        /// <summary>As often as it goes, for good.</summary>
        Possessive,
    }

    /// <summary>Where an anchor holds.</summary>
    public enum Place
    {
        /// <summary>Where the text begins.</summary>
        TextStart,

        /// <summary>Where the text ends.</summary>
        TextEnd,

        /// <summary>Where it ends, or before a line feed that ends it.</summary>
        LastLineEnd,

        /// <summary>Where a line begins.</summary>
        LineStart,

        /// <summary>Where a line ends.</summary>
        LineEnd,

        /// <summary>Between a word and no word.</summary>
        WordEdge,

        /// <summary>Anywhere else.</summary>
        NoWordEdge,
    }

    /// <summary>The fewest code points that it takes.</summary>
    public int Shortest => this switch
    {
        One => 1,
        Sequence s => s.Parts.Aggregate(0, (sum, p) => Math.Min(sum + p.Shortest, Long)),
        Choice c => c.Parts.Min(p => p.Shortest),
        Repeat r => (int)Math.Min((long)r.Inner.Shortest * r.Least, Long),
        Atomic a => a.Inner.Shortest,
        _ => 0,
    };

    /// <summary>How many code points it takes, where that is one number.</summary>
    public int? Width => this switch
    {
        One => 1,
        Sequence s => s.Parts.Aggregate((int?)0, (sum, p) => sum + p.Width),
        Choice c => c.Parts.Select(p => p.Width).Distinct().ToList() is [var one] ? one : null,
        Repeat { Least: var n } r when n == r.Most => r.Inner.Width * n,
        Atomic a => a.Inner.Width,
        Look or Anchor => 0,
        _ => null,
    };

    /// <summary>All code points that a match can begin with; null where it can be empty or that is not known.</summary>
    public CodePointSet? First
    {
        get
        {
            if (Shortest == 0)
            {
                return null;
            }

            switch (this)
            {
                case One one:
                    return one.Set;
                case Repeat repeat:
                    return repeat.Inner.First;
                case Atomic atomic:
                    return atomic.Inner.First;
                case Choice choice:
                    return Union(choice.Parts);
                case Sequence sequence:
                    var parts = new List<PatternNode>();
                    foreach (var part in sequence.Parts)
                    {
                        if (part is Look or Anchor)
                        {
                            continue;
                        }

                        parts.Add(part is Repeat { Least: 0 } optional ? optional.Inner : part);
                        if (part.Shortest > 0)
                        {
                            return Union(parts);
                        }
                    }

                    return null;
                default:
                    return null;
            }
        }
    }

    private static CodePointSet? Union(IReadOnlyList<PatternNode> parts)
    {
        var union = new CodePointSet();
        foreach (var part in parts)
        {
            if (part.First is not { } first)
            {
                return null;
            }

            union.Add(first);
        }

        return union;
    }
}
