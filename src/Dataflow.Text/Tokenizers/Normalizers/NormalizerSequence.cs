namespace Dataflow.Text.Tokenizers;

/// <summary>One after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<TextNormalizer> parts) : TextNormalizer
{
    // What stands for nothing at the beginning (where a pattern finds nothing and puts something) shows in later changes: then the aligned
    // text decides alone.
    private readonly bool isPlain = !parts.Any(
        p => p is PrecompiledNormalizer or NormalizerSequence or ReplaceNormalizer { IsFixed: false });

    /// <inheritdoc/>
    public override bool KeepsLineStarts => parts.All(p => p.KeepsLineStarts);

    /// <inheritdoc/>
    public override string Prefix => string.Concat(parts.Select(p => p.Prefix));

    /// <inheritdoc/>
    public override bool Composes => parts.Any(p => p.Composes);

    /// <inheritdoc/>
    public override void Apply(AlignedText text)
    {
        foreach (var part in parts)
        {
            part.Apply(text);
        }
    }

    /// <inheritdoc/>
    public override string Apply(string text) => isPlain ? parts.Aggregate(text, (t, p) => p.Apply(t)) : base.Apply(text);
}
