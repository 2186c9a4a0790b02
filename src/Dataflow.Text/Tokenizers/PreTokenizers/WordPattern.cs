namespace Dataflow.Text.Tokenizers;

/// <summary>Finds words, and runs of what is neither of a word nor white space.</summary>
internal sealed class WordPattern : IPattern
{
    /// <inheritdoc/>
    public LineStartEffect AtLineStarts => LineStartEffect.Cuts;

    /// <inheritdoc/>
    public void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int start = 0;
        int kind = -1;
        for (int at = 0; at < text.Length;)
        {
            int codePoint = CodePoints.At(text, at, out int length);
            int now = CodePoints.IsWord(codePoint) ? 1 : CodePoints.IsWhiteSpace(codePoint) ? 0 : 2;
            if (now != kind && at > 0)
            {
                matches.Add(new(start, at, kind > 0));
                start = at;
            }

            kind = now;
            at += length;
        }

        matches.Add(new(start, text.Length, kind > 0));
    }
}
