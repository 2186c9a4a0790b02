namespace Dataflow.Text.Tokenizers;

/// <summary>Replaces what a pattern finds by a text.</summary>
/// <param name="pattern">What finds.</param>
/// <param name="fixedText">What it finds, where that is one text.</param>
/// <param name="content">What stands there then.</param>
internal sealed class ReplaceNormalizer(IPattern pattern, string? fixedText, string content) : TextNormalizer
{
    /// <summary>Whether it replaces one text, and never nothing at all.</summary>
    public bool IsFixed => fixedText is { Length: > 0 };

    /// <inheritdoc/>
    public override bool KeepsLineStarts =>
        pattern.AtLineStarts == LineStartEffect.Passes && LineStart.IsFarFrom(content) && !content.Any(char.IsWhiteSpace)
        && (content.Length > 0 || (IsFixed && fixedText!.All(char.IsWhiteSpace)));

    /// <inheritdoc/>
    public override void Apply(AlignedText text) => text.Replace(pattern, content);

    /// <inheritdoc/>
    public override string Apply(string text) =>
        fixedText is { Length: > 0 } ? text.Replace(fixedText, content, StringComparison.Ordinal) : base.Apply(text);
}
