namespace Dataflow.Text.Tokenizers;

/// <summary>
/// What a pattern does at the first letters of lines. No match may take the line feed and the letter behind it, look behind, or look
/// ahead but by one character behind white space alone, where all letters are alike: then it is at the line feed by itself, as no white
/// space stands before that, that a match can hang on what follows, and samples show what comes of it.
/// </summary>
internal static class LineStartPatterns
{
    private static readonly int[] s_letters = [.. Enumerable.Range(0, 0x2000).Where(LineStart.MayBegin)];

    private static readonly List<int> s_others = [.. Enumerable.Range(0, CodePoints.Count).Where(c => !CodePoints.IsWhiteSpace(c))];

    /// <summary>What it does.</summary>
    public static LineStartEffect EffectOf(PatternNode node, RegexPattern pattern)
    {
        var reach = ReachOf(node);
        return node.Shortest == 0 || reach.SeesFar ? LineStartEffect.Unknown
            : !reach.Looks && !reach.HasLineFeed && !reach.HasLetter ? LineStartEffect.Passes
            : !reach.Crosses && !reach.AsksForStart
                && LineStart.Samples().All(s => Parts(pattern, s.Before, s.After)) ? LineStartEffect.Cuts
            : LineStartEffect.Unknown;
    }

    private static bool Parts(RegexPattern pattern, string before, string after)
    {
        List<Match> whole = [], left = [], right = [];
        pattern.Find(before + after, whole);
        pattern.Find(before, left);
        pattern.Find(LineStart.Context + after, right);
        int shift = before.Length - LineStart.Context.Length;
        left.AddRange(right.SkipWhile(m => m.End <= LineStart.Context.Length)
            .Select(m => new Match(m.Start + shift, m.End + shift, m.IsMatch)));
        return whole.SequenceEqual(left);
    }

    private static Reach ReachOf(PatternNode node) => node switch
    {
        PatternNode.One one => new()
        {
            EndsInLineFeed = one.Set['\n'],
            BeginsWithLetter = Array.Exists(s_letters, c => one.Set[c]),
            HasLineFeed = one.Set['\n'],
            HasLetter = Array.Exists(s_letters, c => one.Set[c]),
            IsWhiteSpace = !s_others.Exists(c => one.Set[c]),
        },
        PatternNode.Sequence sequence =>
            sequence.Parts.Aggregate(new Reach { IsNothing = true, IsWhiteSpace = true }, (r, p) => r.Then(ReachOf(p))),
        PatternNode.Choice choice => choice.Parts.Select(ReachOf).Aggregate((a, b) => a.Or(b)),
        PatternNode.Repeat repeat => Repeated(ReachOf(repeat.Inner), repeat),
        PatternNode.Atomic atomic => ReachOf(atomic.Inner),
        PatternNode.Look { Behind: false, Inner: PatternNode.One one } => new()
        {
            IsNothing = true,
            IsWhiteSpace = true,
            Looks = true,
            SeesFar = s_letters.Select(c => one.Set[c]).Distinct().Count() > 1,
        },
        PatternNode.Anchor { Where: PatternNode.Place.TextStart } => new() { IsNothing = true, AsksForStart = true },
        _ => new() { SeesFar = true },
    };

    private static Reach Repeated(Reach once, PatternNode.Repeat repeat)
    {
        var made = repeat.Most > 1 ? once.Then(once) : once;
        return made with { IsNothing = once.IsNothing || repeat.Least == 0 };
    }

    /// <summary>What a pattern can take.</summary>
    private readonly record struct Reach
    {
        /// <summary>Nothing at all.</summary>
        public bool IsNothing { get; init; }

        /// <summary>A letter first.</summary>
        public bool BeginsWithLetter { get; init; }

        /// <summary>A line feed last.</summary>
        public bool EndsInLineFeed { get; init; }

        /// <summary>A letter.</summary>
        public bool HasLetter { get; init; }

        /// <summary>A line feed.</summary>
        public bool HasLineFeed { get; init; }

        /// <summary>A line feed and a letter right behind it.</summary>
        public bool Crosses { get; init; }

        /// <summary>Nothing but white space.</summary>
        public bool IsWhiteSpace { get; init; }

        /// <summary>Whether it looks at the next character without taking it.</summary>
        public bool Looks { get; init; }

        /// <summary>Whether it asks for the beginning of the text.</summary>
        public bool AsksForStart { get; init; }

        /// <summary>Whether it looks behind, or farther ahead, or asks for another place.</summary>
        public bool SeesFar { get; init; }

        public Reach Then(Reach next) => Or(next) with
        {
            IsNothing = IsNothing && next.IsNothing,
            BeginsWithLetter = BeginsWithLetter || (IsNothing && next.BeginsWithLetter),
            EndsInLineFeed = next.EndsInLineFeed || (next.IsNothing && EndsInLineFeed),
            Crosses = Crosses || next.Crosses || (EndsInLineFeed && next.BeginsWithLetter),
            SeesFar = SeesFar || next.SeesFar || (next.Looks && !IsWhiteSpace),
        };

        public Reach Or(Reach other) => new()
        {
            IsNothing = IsNothing || other.IsNothing,
            BeginsWithLetter = BeginsWithLetter || other.BeginsWithLetter,
            EndsInLineFeed = EndsInLineFeed || other.EndsInLineFeed,
            HasLetter = HasLetter || other.HasLetter,
            HasLineFeed = HasLineFeed || other.HasLineFeed,
            Crosses = Crosses || other.Crosses,
            IsWhiteSpace = IsWhiteSpace && other.IsWhiteSpace,
            Looks = Looks || other.Looks,
            AsksForStart = AsksForStart || other.AsksForStart,
            SeesFar = SeesFar || other.SeesFar,
        };
    }
}
