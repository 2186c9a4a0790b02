using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Byte-pair encoding: a piece as characters, of which the pair of the lowest rank merges first, and of equals the leftmost. Short pieces
/// look for it each time; long ones keep a heap, so that a piece of a million characters takes no time to speak of.
/// </summary>
internal sealed class BpeModel : SubwordModel
{
    private const int LongPiece = 48;

    private readonly BpeOptions options;
    private readonly MergeTable merges;
    private readonly int[] byteIds;
    private readonly int[] asciiIds;
    private readonly int unknown;
    private readonly Lazy<Seams?> seams;

    /// <summary>A model of a vocabulary and the pairs that merge, in the order of their ranks.</summary>
    public BpeModel(Vocabulary vocabulary, IReadOnlyList<(string Left, string Right)> merges, BpeOptions options)
    {
        Vocabulary = vocabulary;
        this.options = options;
        this.merges = new(merges.Count);
        for (int i = 0; i < merges.Count; i++)
        {
            var (left, right) = merges[i];
            int leftId = vocabulary.IdOf(left);
            int rightId = vocabulary.IdOf(right);
            int merged = right.Length < options.Prefix.Length ? -1
                : vocabulary.IdOf(string.Concat(left, right.AsSpan(options.Prefix.Length)));
            if (leftId < 0 || rightId < 0 || merged < 0)
            {
                string what = leftId < 0 || rightId < 0 ? "has parts that are" : "makes a token that is";
                throw new UserErrorException(
                    $"model.merges[{i}] ['{left}', '{right}'] {what} not in model.vocab: the file is damaged, fetch or convert it again");
            }

            this.merges.Add(leftId, rightId, i, merged);
        }

        byteIds = vocabulary.ByteIds();
        asciiIds = [.. Enumerable.Range(0, 0x180).Select(c => vocabulary.IdOf([(char)c]))];
        unknown = options.Unknown is null ? -1 : vocabulary.IdOf(options.Unknown);
        bool dependsOnEnds = options.IgnoresMerges || options.Prefix.Length > 0 || options.Suffix.Length > 0;
        seams = new(() => dependsOnEnds ? null : new(vocabulary));
    }

    /// <inheritdoc/>
    public override Vocabulary Vocabulary { get; }

    /// <inheritdoc/>
    public override Seams? Seams => seams.Value;

    /// <inheritdoc/>
    public override bool PartsLineStarts(bool spelled, bool composes)
    {
        if (options.IgnoresMerges || options.Prefix.Length > 0 || options.Suffix.Length > 0)
        {
            return false;
        }

        // Unknown characters join each other, or vanish and make others neighbours: so there may be none.
        string lineFeed = spelled ? ByteAlphabet.Spelled('\n') : "\n";
        bool fallsBack = options.FallsBackToBytes && Array.TrueForAll(byteIds, id => id >= 0);
        bool areKnown = !composes && lineFeed.Concat(Enumerable.Range('A', 26).SelectMany(c => new[] { (char)c, (char)(c | 0x20) }))
            .All(c => asciiIds[c] >= 0);
        return (fallsBack || areKnown) && !Vocabulary.All.Any(t => Crosses(t.Key, lineFeed) || Crosses(t.Key, "<0x0A>"));
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<char> piece, List<PieceToken> tokens)
    {
        if (options.IgnoresMerges && Vocabulary.IdOf(piece) is var whole and >= 0)
        {
            tokens.Add(new(whole, System.Text.Encoding.UTF8.GetByteCount(piece)));
            return;
        }

        int first = tokens.Count;
        Characters(piece, tokens);
        int count = tokens.Count - first;
        if (count > LongPiece)
        {
            new MergeQueue(merges).Merge(tokens, first);
        }
        else if (count > 1)
        {
            MergeShort(tokens, first);
        }
    }

    // A line feed and behind it a letter, or the first byte of one: by themselves or as the vocabulary spells them.
    private static bool Crosses(string token, string lineFeed)
    {
        for (int at = token.IndexOf(lineFeed, StringComparison.Ordinal); at >= 0;
            at = token.IndexOf(lineFeed, at + 1, StringComparison.Ordinal))
        {
            int next = at + lineFeed.Length;
            if (next < token.Length && (LineStart.MayBegin(token[next]) || string.CompareOrdinal(token, next, "<0x", 0, 3) == 0))
            {
                return true;
            }
        }

        return false;
    }

    private void Characters(ReadOnlySpan<char> piece, List<PieceToken> tokens)
    {
        // Unknown characters wait until a known one comes, and others may come before them: so the library does it.
        int pending = 0;
        for (int at = 0; at < piece.Length;)
        {
            int codePoint = CodePoints.At(piece, at, out int length);
            int bytes = CodePoints.Utf8Length(codePoint);
            int id = Id(piece, at, length, codePoint);
            if (id >= 0)
            {
                Flush(ref pending, tokens);
                tokens.Add(new(id, bytes));
            }
            else if (!(options.FallsBackToBytes && FallBack(Spelled(piece, at, length), tokens)) && options.Unknown is not null)
            {
                if (unknown < 0)
                {
                    throw new UserErrorException(
                        $"model.unk_token '{options.Unknown}' is not in model.vocab, and a character of the text needs it");
                }

                if (!options.FusesUnknown)
                {
                    Flush(ref pending, tokens);
                }

                pending += bytes;
            }

            at += length;
        }

        Flush(ref pending, tokens);
    }

    private void Flush(ref int pending, List<PieceToken> tokens)
    {
        if (pending > 0)
        {
            tokens.Add(new(unknown, pending));
            pending = 0;
        }
    }

    private int Id(ReadOnlySpan<char> piece, int at, int length, int codePoint) =>
        options.Prefix.Length > 0 || options.Suffix.Length > 0 ? Vocabulary.IdOf(Spelled(piece, at, length))
        : codePoint < asciiIds.Length ? asciiIds[codePoint]
        : Vocabulary.IdOf(piece.Slice(at, length));

    private string Spelled(ReadOnlySpan<char> piece, int at, int length) => string.Concat(
        at == 0 ? "" : options.Prefix, piece.Slice(at, length), at + length == piece.Length ? options.Suffix : "");

    private bool FallBack(string character, List<PieceToken> tokens)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(character);
        if (Array.Exists(bytes, b => byteIds[b] < 0))
        {
            return false;
        }

        foreach (byte value in bytes)
        {
            tokens.Add(new(byteIds[value], 1));
        }

        return true;
    }

    private void MergeShort(List<PieceToken> tokens, int first)
    {
        int count = tokens.Count - first;
        Span<int> ids = stackalloc int[LongPiece];
        Span<int> bytes = stackalloc int[LongPiece];
        Span<int> ranks = stackalloc int[LongPiece];
        Span<int> merged = stackalloc int[LongPiece];
        for (int i = 0; i < count; i++)
        {
            (ids[i], bytes[i]) = (tokens[first + i].Id, tokens[first + i].Bytes);
        }

        for (int i = 0; i + 1 < count; i++)
        {
            (ranks[i], merged[i]) = merges[ids[i], ids[i + 1]];
        }

        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best])
                {
                    best = i;
                }
            }

            if (ranks[best] == int.MaxValue)
            {
                break;
            }

            ids[best] = merged[best];
            bytes[best] += bytes[best + 1];
            int moved = count - best - 2;
            ids.Slice(best + 2, moved).CopyTo(ids[(best + 1)..]);
            bytes.Slice(best + 2, moved).CopyTo(bytes[(best + 1)..]);
            ranks.Slice(best + 2, moved).CopyTo(ranks[(best + 1)..]);
            merged.Slice(best + 2, moved).CopyTo(merged[(best + 1)..]);
            count--;
            if (best > 0)
            {
                (ranks[best - 1], merged[best - 1]) = merges[ids[best - 1], ids[best]];
            }

            if (best + 1 < count)
            {
                (ranks[best], merged[best]) = merges[ids[best], ids[best + 1]];
            }
        }

        tokens.RemoveRange(first + count, tokens.Count - first - count);
        for (int i = 0; i < count; i++)
        {
            tokens[first + i] = new(ids[i], bytes[i]);
        }
    }
}
