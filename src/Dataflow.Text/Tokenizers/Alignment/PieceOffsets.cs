namespace Dataflow.Text.Tokenizers;

/// <summary>Where the tokens of a piece come from. Their lengths are in bytes, which may cut a character: then all of it counts.</summary>
internal readonly ref struct PieceOffsets
{
    private readonly AlignedText piece;
    private readonly int[] units;

    /// <summary>Prepares for a piece.</summary>
    public PieceOffsets(AlignedText piece)
    {
        this.piece = piece;
        var starts = new List<int>(piece.Text.Length);
        for (int at = 0; at < piece.Text.Length;)
        {
            int codePoint = CodePoints.At(piece.Text, at, out int length);
            for (int i = CodePoints.Utf8Length(codePoint); i > 0; i--)
            {
                starts.Add(at);
            }

            at += length;
        }

        units = [.. starts];
    }

    /// <summary>Adds the tokens with their offsets.</summary>
    public void Add(List<PieceToken> tokens, int type, SubwordModel model, EncodedText encoded)
    {
        int start = 0;
        foreach (var (id, bytes, overlaps) in tokens)
        {
            int end = start + bytes;
            var range = end <= units.Length && start < end
                ? new CodePointRange(piece.Places[units[start]].Start, piece.Places[units[end - 1]].End)
                : new(start, end);
            string token = model.Vocabulary.TokenOf(id) ?? "";
            if (model.ShowsText && end <= units.Length && ByteFallbackDecoder.ByteOf(token) < 0)
            {
                token = piece.Text[units[start]..(end == units.Length ? piece.Text.Length : units[end])];
            }

            encoded.Add(id, type, token, range);
            start = overlaps ? start : end;
        }
    }
}
