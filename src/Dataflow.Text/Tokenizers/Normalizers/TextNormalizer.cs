namespace Dataflow.Text.Tokenizers;

/// <summary>Changes a text before it is cut.</summary>
internal abstract class TextNormalizer
{
    /// <summary>
    /// Whether a line's first letter (<see cref="LineStart"/>) stays one, alone or composed with its marks, behind a line feed that stays
    /// behind what is no white space; and whether what either side becomes does not depend on the other.
    /// </summary>
    public virtual bool KeepsLineStarts => false;

    /// <summary>What it puts before a text.</summary>
    public virtual string Prefix => "";

    /// <summary>Whether letters join the marks that follow them.</summary>
    public virtual bool Composes => false;

    /// <summary>Changes a text and keeps track of where its code points come from.</summary>
    public abstract void Apply(AlignedText text);

    /// <summary>The changed text.</summary>
    public virtual string Apply(string text)
    {
        var aligned = AlignedText.Of(text);
        Apply(aligned);
        return aligned.Text;
    }
}
