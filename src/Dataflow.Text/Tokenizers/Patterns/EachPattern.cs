namespace Dataflow.Text.Tokenizers;

/// <summary>Finds each code point of a set by itself.</summary>
internal sealed class EachPattern(Func<int, bool> isFound) : IPattern
{
    /// <inheritdoc/>
    public LineStartEffect AtLineStarts => isFound('\n') ? LineStartEffect.Cuts
        : Enumerable.Range(0, 0x2000).Any(c => LineStart.MayBegin(c) && isFound(c)) ? LineStartEffect.Unknown
        : LineStartEffect.Passes;

    /// <inheritdoc/>
    public void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int between = 0;
        for (int at = 0; at < text.Length;)
        {
            int codePoint = CodePoints.At(text, at, out int length);
            if (isFound(codePoint))
            {
                if (between < at)
                {
                    matches.Add(new(between, at, false));
                }

                matches.Add(new(at, at + length, true));
                between = at + length;
            }

            at += length;
        }

        if (between < text.Length || text.Length == 0)
        {
            matches.Add(new(between, text.Length, false));
        }
    }
}
