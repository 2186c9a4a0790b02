namespace Dataflow.Text.Tokenizers;

/// <summary>Takes white space away from the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    /// <inheritdoc/>
    public override void Apply(AlignedText text)
    {
        int leading = left ? text.Text.Length - text.Text.AsSpan().TrimStart().Length : 0;
        int trailing = right ? text.Text.Length - text.Text.AsSpan().TrimEnd().Length : 0;
        if (leading == 0 && trailing == 0)
        {
            return;
        }

        // White space is of one UTF-16 unit each.
        var kept = leading + trailing >= text.Text.Length ? "" : text.Text[leading..^trailing];
        var changes = kept.EnumerateRunes().Select(r => new Change(r.Value, 0)).ToList();
        if (changes.Count > 0 && trailing > 0)
        {
            changes[^1] = new(changes[^1].CodePoint, -trailing);
        }

        text.Transform(changes, leading);
    }
}
