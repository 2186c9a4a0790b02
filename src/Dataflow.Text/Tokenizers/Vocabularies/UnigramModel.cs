using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>The split of a piece whose tokens have the greatest sum of scores; of equals, the one that was found first.</summary>
internal sealed class UnigramModel : SubwordModel
{
    private const double UnknownPenalty = 10;

    private readonly double[] scores;
    private readonly TokenTrie trie;
    private readonly int unknown;
    private readonly double unknownScore;
    private readonly int[]? byteIds;

    /// <summary>A model of tokens and scores, each token's id being its place.</summary>
    /// <param name="pieces">Tokens and scores.</param>
    /// <param name="unknown">The id of what is not known; -1 for none.</param>
    /// <param name="fallsBackToBytes">Whether what is not known becomes the tokens of its bytes.</param>
    public UnigramModel(IReadOnlyList<(string Token, double Score)> pieces, int unknown, bool fallsBackToBytes)
    {
        var byToken = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < pieces.Count; i++)
        {
            if (!byToken.TryAdd(pieces[i].Token, i))
            {
                string token = pieces[i].Token;
                throw new UserErrorException($"model.vocab has the token '{token}' twice, with the ids {byToken[token]} and {i}");
            }
        }

        Vocabulary = new(byToken);
        trie = new(byToken);
        scores = [.. pieces.Select(p => p.Score)];
        this.unknown = unknown;
        unknownScore = scores.DefaultIfEmpty(double.PositiveInfinity).Min() - UnknownPenalty;
        byteIds = fallsBackToBytes ? Vocabulary.ByteIds() : null;
    }

    /// <inheritdoc/>
    public override Vocabulary Vocabulary { get; }

    /// <inheritdoc/>
    public override bool ShowsText => true;

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> piece, List<PieceToken> tokens)
    {
        var best = new (double Score, int Start, int Id)[piece.Length + 1];
        best.AsSpan().Fill((0, -1, 0));
        for (int at = 0; at < piece.Length;)
        {
            double before = best[at].Score;
            CodePoints.At(piece, at, out int length);
            bool isKnown = false;
            int node = TokenTrie.Root;
            for (int end = at; end < piece.Length;)
            {
                node = trie.Next(node, piece[end++]);
                if (node < 0)
                {
                    break;
                }

                if (trie.Token(node) is var id and >= 0)
                {
                    Offer(best, end, (scores[id] + before, at, id));
                    isKnown |= end - at == length;
                }
            }

            if (!isKnown)
            {
                Offer(best, at + length, (unknownScore + before, at, unknown >= 0 ? unknown : throw Missing()));
            }

            at += length;
        }

        Collect(piece, best, tokens);
    }

    private static UserErrorException Missing() => new("model.unk_id is null, and a character of the text needs it");

    private static void Offer((double Score, int Start, int Id)[] best, int end, (double Score, int Start, int Id) offer)
    {
        if (best[end].Start < 0 || offer.Score > best[end].Score)
        {
            best[end] = offer;
        }
    }

    private void Collect(ReadOnlySpan<char> piece, (double Score, int Start, int Id)[] best, List<PieceToken> tokens)
    {
        // Unknown parts side by side are one.
        var parts = new List<PieceRange>();
        bool wasUnknown = false;
        for (int end = piece.Length; end > 0;)
        {
            var (_, start, id) = best[end];
            bool isUnknown = id == unknown;
            if (isUnknown && wasUnknown)
            {
                parts[^1] = parts[^1] with { Start = start };
            }
            else
            {
                parts.Add(new(start, end));
            }

            wasUnknown = isUnknown;
            end = start;
        }

        for (int i = parts.Count - 1; i >= 0; i--)
        {
            var text = piece[parts[i].Start..parts[i].End];
            int bytes = System.Text.Encoding.UTF8.GetByteCount(text);
            if (Vocabulary.IdOf(text) is var id and >= 0)
            {
                tokens.Add(new(id, bytes));
            }
            else if (byteIds is null || !FallBack(text, bytes, tokens))
            {
                tokens.Add(new(unknown >= 0 ? unknown : throw Missing(), bytes));
            }
        }
    }

    private bool FallBack(ReadOnlySpan<char> text, int length, List<PieceToken> tokens)
    {
        byte[] bytes = new byte[length];
        System.Text.Encoding.UTF8.GetBytes(text, bytes);
        if (Array.Exists(bytes, b => byteIds![b] < 0))
        {
            return false;
        }

        for (int i = 0; i < length; i++)
        {
            tokens.Add(new(byteIds![bytes[i]], length, i < length - 1));
        }

        return true;
    }
}
