namespace Dataflow.Text.Tokenizers;

/// <summary>Turns a piece into tokens of a vocabulary.</summary>
internal abstract class SubwordModel
{
    /// <summary>The tokens that it knows.</summary>
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>Whether a token shows as the text that it stands for, also where that is not known.</summary>
    public virtual bool ShowsText => false;

    /// <summary>Where a piece may be cut without any change to its tokens; null where that is not known.</summary>
    public virtual Seams? Seams => null;

    /// <summary>Adds the tokens of a piece that is not empty.</summary>
    public abstract void Encode(ReadOnlySpan<char> piece, List<PieceToken> tokens);
}
