namespace Dataflow.Text.Tokenizers;

/// <summary>A fixed text; an empty one is found nowhere.</summary>
internal sealed class TextPattern(string content) : IPattern
{
    /// <inheritdoc/>
    public LineStartEffect AtLineStarts =>
        content == "\n" ? LineStartEffect.Cuts : LineStart.IsFarFrom(content) ? LineStartEffect.Passes : LineStartEffect.Unknown;

    /// <inheritdoc/>
    public void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int at = 0;
        while (at < text.Length && content.Length > 0 && text[at..].IndexOf(content, StringComparison.Ordinal) is var found and >= 0)
        {
            if (found > 0)
            {
                matches.Add(new(at, at + found, false));
            }

            matches.Add(new(at + found, at + found + content.Length, true));
            at += found + content.Length;
        }

        if (at < text.Length || text.Length == 0)
        {
            matches.Add(new(at, text.Length, false));
        }
    }
}
