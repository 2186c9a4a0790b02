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

    /// <summary>
    /// Whether the tokens of a piece in which a line's first letter follows a line feed are those of the parts before and behind.
    /// </summary>
    /// <param name="spelled">Whether pieces are spelled by bytes.</param>
    /// <param name="composes">Whether the letter may have joined marks that followed it.</param>
    public virtual bool PartsLineStarts(bool spelled, bool composes) => false;

    /// <summary>Adds the tokens of a piece that is not empty.</summary>
    public abstract void Encode(ReadOnlySpan<char> piece, List<PieceToken> tokens);
}
