namespace Dataflow.Text.Tokenizers;

/// <summary>A token that is looked for in the text itself, before the vocabulary sees it.</summary>
internal sealed record AddedToken(string Content)
{
    /// <summary>Whether it is found only where no word goes on at its ends.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether white space before it belongs to it.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether white space after it belongs to it.</summary>
    public bool StripsRight { get; init; }

    /// <summary>Whether it is looked for in the normalized text, in its own normalized form.</summary>
    public bool Normalized { get; init; }

    /// <summary>Whether decoding may skip it.</summary>
    public bool Special { get; init; }
}
