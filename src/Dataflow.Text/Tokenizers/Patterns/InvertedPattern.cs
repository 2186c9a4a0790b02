namespace Dataflow.Text.Tokenizers;

/// <summary>Finds what another leaves, and the other way round.</summary>
internal sealed class InvertedPattern(IPattern inner) : IPattern
{
    /// <inheritdoc/>
    public LineStartEffect AtLineStarts => inner.AtLineStarts;

    /// <inheritdoc/>
    public void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int first = matches.Count;
        inner.Find(text, matches);
        for (int i = first; i < matches.Count; i++)
        {
            matches[i] = matches[i] with { IsMatch = !matches[i].IsMatch };
        }
    }
}
