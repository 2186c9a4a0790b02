namespace Dataflow.Text.Tokenizers;

/// <summary>Cuts as GPT-2 does, where it is told so, and spells the pieces by bytes.</summary>
/// <param name="addsSpace">Whether a space is put before a text that begins with none.</param>
/// <param name="cuts">Whether it cuts.</param>
internal sealed class ByteLevelPreTokenizer(bool addsSpace, bool cuts) : PreTokenizer
{
    /// <summary>The pattern of GPT-2.</summary>
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly SplitPreTokenizer? splitter = cuts ? new(SplitPatterns.Of(Pattern), SplitBehavior.Isolated) : null;

    /// <inheritdoc/>
    public override bool Prepares => addsSpace;

    /// <inheritdoc/>
    public override WordSplitter? Splitter => addsSpace ? null : splitter?.Splitter;

    /// <inheritdoc/>
    public override bool IsWhole => !addsSpace && splitter is null;

    /// <inheritdoc/>
    public override bool SpellsBytes => true;

    /// <inheritdoc/>
    public override string Prefix => addsSpace ? " " : "";

    /// <inheritdoc/>
    public override LineStartEffect AtLineStarts => splitter?.AtLineStarts ?? LineStartEffect.Passes;

    /// <inheritdoc/>
    public override void Prepare(AlignedText text)
    {
        if (addsSpace && !text.Text.StartsWith(' '))
        {
            text.Prepend(" ");
        }
    }

    /// <inheritdoc/>
    public override string Prepare(string text, bool atStart) => addsSpace && text.Length > 0 && text[0] != ' ' ? " " + text : text;

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
}
