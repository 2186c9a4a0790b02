namespace Dataflow.Text.Tokenizers;

/// <summary>How byte-pair encoding treats what the vocabulary lacks, and the ends of words.</summary>
internal readonly record struct BpeOptions
{
    /// <summary>The token of what is not known; null where that vanishes.</summary>
    public string? Unknown { get; init; }

    /// <summary>Whether unknown characters side by side are one token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether an unknown character becomes the tokens of its bytes.</summary>
    public bool FallsBackToBytes { get; init; }

    /// <summary>Whether a piece that is a token is taken as it is.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>What stands before each character of a piece but the first.</summary>
    public string Prefix { get; init; }

    /// <summary>What stands after the last character of a piece.</summary>
    public string Suffix { get; init; }
}
