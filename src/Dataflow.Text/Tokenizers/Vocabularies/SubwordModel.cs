namespace Dataflow.Text.Tokenizers;

/// <summary>Turns a piece into tokens of a vocabulary.</summary>
internal abstract class SubwordModel
{
    /// <summary>The tokens that it knows.</summary>
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>Adds the tokens of a piece that is not empty.</summary>
    public abstract void Encode(ReadOnlySpan<char> piece, List<PieceToken> tokens);
}
