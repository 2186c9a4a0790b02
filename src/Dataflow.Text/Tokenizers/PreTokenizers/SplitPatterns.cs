namespace Dataflow.Text.Tokenizers;

/// <summary>The pattern of a notation: written by hand for those that many published tokenizers have.</summary>
internal static class SplitPatterns
{
    /// <summary>The pattern of a notation.</summary>
    public static IPattern Of(string pattern) => new RegexPattern(pattern);
}
