namespace Dataflow.Text.Tokenizers;

/// <summary>Writes spaces as marks and cuts before each of them, where it is told so.</summary>
internal sealed class MetaspacePreTokenizer(string mark, PrependScheme scheme, bool cuts) : PreTokenizer
{
    private readonly TextPattern space = new(" ");
    private readonly SplitPreTokenizer? splitter = cuts ? new(new TextPattern(mark), SplitBehavior.MergedWithNext) : null;

    /// <summary>Whether it matters that a piece is the text's first.</summary>
    public bool AsksForStart => scheme == PrependScheme.First;

    /// <inheritdoc/>
    public override bool Prepares => true;

    /// <inheritdoc/>
    public override string Prefix => scheme == PrependScheme.Never ? "" : mark;

    /// <inheritdoc/>
    public override LineStartEffect AtLineStarts =>
        LineStart.IsFarFrom(mark) && !mark.Any(char.IsWhiteSpace) ? LineStartEffect.Passes : LineStartEffect.Unknown;

    /// <inheritdoc/>
    public override void Prepare(AlignedText text)
    {
        text.Replace(space, mark);
        if (Wants(text.Text, text.Start == 0))
        {
            text.Prepend(mark);
        }
    }

    /// <inheritdoc/>
    public override string Prepare(string text, bool atStart)
    {
        string marked = text.Replace(" ", mark, StringComparison.Ordinal);
        return marked.Length > 0 && Wants(marked, atStart) ? mark + marked : marked;
    }

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<PieceRange> pieces)
    {
        if (splitter is not null)
        {
            splitter.Cut(text, pieces);
        }
        else
        {
            pieces.Add(new(0, text.Length));
        }
    }

    private bool Wants(string text, bool atStart) =>
        (scheme == PrependScheme.Always || (scheme == PrependScheme.First && atStart)) && !text.StartsWith(mark, StringComparison.Ordinal);
}
