namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The pattern of a notation: written by hand for those that many published tokenizers have, in the spellings in which they have them.
/// </summary>
internal static class SplitPatterns
{
    private const string Before = @"[^\r\n\p{L}\p{N}]?";
    private const string Capitals = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Small = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Spaces = @"|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Tail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces;

    private static readonly string[] s_contractions =
        ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?i:'(?:s|t|re|ve|m|ll|d))", "'(?i:[sdmt]|ll|ve|re)"];

    private static readonly Dictionary<string, Func<IPattern>> s_byHand = Known();

    /// <summary>The notations that are cut by hand.</summary>
    public static IEnumerable<string> ByHand => s_byHand.Keys;

    /// <summary>The pattern of a notation.</summary>
    public static IPattern Of(string pattern) => s_byHand.TryGetValue(pattern, out var make) ? make() : new RegexPattern(pattern);

    /// <summary>Stages, of which those that are cut by hand at once are one.</summary>
    public static IReadOnlyList<PreTokenizer> Joined(IReadOnlyList<PreTokenizer> stages)
    {
        var patterns = DeepSeekWordSplitter.Patterns;
        bool isKnown = stages.Count >= patterns.Count && patterns.Zip(stages).All(p => Spelled(p.Second) == p.First);
        return isKnown
            ? [new SplitPreTokenizer(new DeepSeekWordSplitter(), SplitBehavior.Isolated), .. stages.Skip(patterns.Count)]
            : stages;
    }

    // Some files have line ends in patterns as they are, others as they are written.
    private static string? Spelled(PreTokenizer stage) => (stage as SplitPreTokenizer)?.IsolatedNotation?
        .Replace("\r", @"\r", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);

    private static Dictionary<string, Func<IPattern>> Known()
    {
        var known = new Dictionary<string, Func<IPattern>> { [ByteLevelPreTokenizer.Pattern] = () => new OldWordSplitter() };
        foreach (string contraction in s_contractions)
        {
            known[$@"{contraction}|{Before}\p{{L}}+|\p{{N}}{{1,3}}{Tail}"] = () => new NewWordSplitter(3);
            known[$@"{contraction}|{Before}\p{{L}}+|\p{{N}}{Tail}"] = () => new NewWordSplitter(1);
            if (contraction[0] != '(')
            {
                continue;
            }

            known[$@"{Before}{Capitals}*{Small}+{contraction}?|{Before}{Capitals}+{Small}*{contraction}?"
                + $@"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{Spaces}"] = () => new CasedWordSplitter();
        }

        return known;
    }
}
