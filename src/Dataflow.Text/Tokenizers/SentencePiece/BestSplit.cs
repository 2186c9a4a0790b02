namespace Dataflow.Text.Tokenizers;

/// <summary>
/// SentencePiece's Unigram: the split whose scores have the greatest sum. Sums are in 32 bits, as there: of splits that are as good, that
/// decides.
/// </summary>
internal sealed class BestSplit(SentencePieceVocabulary vocabulary) : ISentencePieceModel
{
    private const float UnknownPenalty = 10;

    private readonly float unknownScore = vocabulary.LeastScore - UnknownPenalty;

    /// <inheritdoc/>
    public void Split(string text, List<(PieceRange Range, int Id)> pieces)
    {
        var best = new (float Score, int Start, int Id)[text.Length + 1];
        best.AsSpan().Fill((0, -1, -1));
        for (int at = 0; at < text.Length;)
        {
            float before = best[at].Score;
            CodePoints.At(text, at, out int length);
            bool isKnown = false;
            int node = TokenTrie.Root;
            int bytes = 0;
            for (int end = at; end < text.Length;)
            {
                CodePoints.At(text, end, out int units);
                for (int i = 0; i < units && node >= 0; i++)
                {
                    node = vocabulary.Texts.Next(node, text[end + i]);
                }

                if (node < 0)
                {
                    break;
                }

                bytes += CodePoints.Utf8Length(CodePoints.At(text, end, out _));
                end += units;
                int id = vocabulary.Texts.Token(node);
                if (id < 0 || vocabulary.Kind(id) == PieceKind.Unused)
                {
                    continue;
                }

                // A user-defined piece has a bonus by its bytes, so that it is always taken.
                float score = vocabulary.Kind(id) == PieceKind.UserDefined
                    ? (bytes * vocabulary.GreatestScore) - 0.1f
                    : vocabulary.Score(id);
                Offer(best, end, score + before, at, id);
                isKnown |= end - at == length;
            }

            if (!isKnown)
            {
                Offer(best, at + length, unknownScore + before, at, vocabulary.Unknown);
            }

            at += length;
        }

        int first = pieces.Count;
        for (int end = text.Length; end > 0; end = best[end].Start)
        {
            pieces.Add((new(best[end].Start, end), best[end].Id));
        }

        pieces.Reverse(first, pieces.Count - first);
    }

    private static void Offer((float Score, int Start, int Id)[] best, int end, float score, int start, int id)
    {
        if (best[end].Start < 0 || score > best[end].Score)
        {
            best[end] = (score, start, id);
        }
    }
}
