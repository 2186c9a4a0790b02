namespace Dataflow.Text.Tokenizers;

/// <summary>Puts a text before every text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : TextNormalizer
{
    /// <inheritdoc/>
    public override bool KeepsLineStarts => LineStart.IsFarFrom(prefix);

    /// <inheritdoc/>
    public override string Prefix => prefix;

    /// <inheritdoc/>
    public override void Apply(AlignedText text) => text.Prepend(prefix);

    /// <inheritdoc/>
    public override string Apply(string text) => text.Length == 0 ? text : prefix + text;
}
