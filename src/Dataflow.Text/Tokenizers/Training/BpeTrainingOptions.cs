namespace Dataflow.Text.Tokenizers;

/// <summary>What byte-pair encoding is to learn.</summary>
public readonly record struct BpeTrainingOptions
{
    /// <summary>How many tokens there are to be at most.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>How often a pair must stand in the texts to merge.</summary>
    public long MinFrequency { get; init; }

    /// <summary>Tokens with the first ids, in their order; training takes nothing from texts that spell them.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; }

    /// <summary>Whether all 256 bytes are tokens, also those that stand in no text.</summary>
    public bool AllBytes { get; init; }

    /// <summary>One more than the most bytes of a token that a merge of merged tokens makes; null for any.</summary>
    public int? MaxTokenLength { get; init; }
}
