namespace Dataflow.Text.Tokenizers;

/// <summary>Changes a text before it is cut.</summary>
internal abstract class TextNormalizer
{
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
