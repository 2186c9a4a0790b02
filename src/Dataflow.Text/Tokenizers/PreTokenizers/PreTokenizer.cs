namespace Dataflow.Text.Tokenizers;

/// <summary>One stage that cuts a text into pieces, which the vocabulary then sees one by one.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Whether it changes the text before it cuts.</summary>
    public virtual bool Prepares => false;

    /// <summary>Whether it spells the pieces by bytes after it has cut.</summary>
    public virtual bool SpellsBytes => false;

    /// <summary>What cuts into words one by one, where that is all the stage does to a text; null elsewhere.</summary>
    public virtual WordSplitter? Splitter => null;

    /// <summary>Whether the stage leaves a text whole and as it is, but for the spelling.</summary>
    public virtual bool IsWhole => false;

    /// <summary>What it puts before a text, or before some.</summary>
    public virtual string Prefix => "";

    /// <summary>What it does at the first letters of lines.</summary>
    public virtual LineStartEffect AtLineStarts => LineStartEffect.Unknown;

    /// <summary>Changes a text before it is cut.</summary>
    public virtual void Prepare(AlignedText text)
    {
    }

    /// <summary>The same for a text of which nobody asks where it comes from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="atStart">Whether the whole text begins with it.</param>
    public virtual string Prepare(string text, bool atStart) => text;

    /// <summary>Adds the pieces in order; empty ones count for nothing.</summary>
    public abstract void Cut(ReadOnlySpan<char> text, List<PieceRange> pieces);

    /// <summary>The pieces with where they come from.</summary>
    public List<AlignedText> Apply(IEnumerable<AlignedText> texts)
    {
        var made = new List<AlignedText>();
        var ranges = new List<PieceRange>();
        foreach (var text in texts)
        {
            Prepare(text);
            ranges.Clear();
            Cut(text.Text, ranges);
            foreach (var (start, end) in ranges)
            {
                if (start < end)
                {
                    made.Add(text.Slice(start, end));
                }
            }
        }

        if (SpellsBytes)
        {
            foreach (var piece in made)
            {
                piece.SpellBytes();
            }
        }

        return made;
    }
}
