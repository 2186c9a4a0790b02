namespace Dataflow.Text.Tokenizers;

/// <summary>One after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<TextNormalizer> parts) : TextNormalizer
{
    // Expansions by a precompiled map leave places that later changes depend on: then the aligned text decides alone.
    private readonly bool isPlain = !parts.Any(p => p is PrecompiledNormalizer or NormalizerSequence);

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
