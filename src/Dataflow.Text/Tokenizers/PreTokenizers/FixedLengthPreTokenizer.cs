namespace Dataflow.Text.Tokenizers;

/// <summary>Pieces of so many code points each.</summary>
internal sealed class FixedLengthPreTokenizer(int count) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<PieceRange> pieces)
    {
        int start = 0;
        int taken = 0;
        for (int at = 0; at < text.Length;)
        {
            CodePoints.At(text, at, out int length);
            at += length;
            if (++taken == count)
            {
                pieces.Add(new(start, at));
                (start, taken) = (at, 0);
            }
        }

        pieces.Add(new(start, text.Length));
    }
}
