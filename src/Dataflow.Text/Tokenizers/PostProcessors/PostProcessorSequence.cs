namespace Dataflow.Text.Tokenizers;

/// <summary>One after the other.</summary>
internal sealed class PostProcessorSequence(IReadOnlyList<PostProcessor> parts) : PostProcessor
{
    /// <inheritdoc/>
    public override (IReadOnlyList<int> Before, IReadOnlyList<int> After)? Around
    {
        get
        {
            // More than one part that puts something around a text is left to the way with offsets.
            var around = parts.Select(p => p.Around).Where(a => a is not { Before.Count: 0, After.Count: 0 }).ToList();
            return around.Count switch { 0 => ([], []), 1 => around[0], _ => null };
        }
    }

    /// <inheritdoc/>
    public override List<EncodedText> Apply(List<EncodedText> texts, bool addsSpecial) =>
        parts.Aggregate(texts, (made, part) => part.Apply(made, addsSpecial));
}
