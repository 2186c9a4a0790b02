using System.Runtime.InteropServices;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// Ids alone, for one thread: texts are cut in place, words that were seen before are looked up, and nothing keeps track of offsets.
/// </summary>
internal sealed class IdEncoder
{
    private const int LongestCachedWord = 40;
    private const int LongestWholePiece = 16;

    private readonly TextNormalizer? normalizer;
    private readonly PreTokenizer[] stages;
    private readonly SubwordModel model;
    private readonly AddedTokens added;
    private readonly WordCache cache = new();
    private readonly List<PieceRange>[] ranges;
    private readonly List<PieceToken> tokens = [];
    private readonly List<int> made = [];
    private readonly bool spells;
    private readonly WordSplitter? splitter;
    private readonly Seams? seams;
    private char[] spelled = [];

    /// <summary>For a pipeline.</summary>
    public IdEncoder(TextNormalizer? normalizer, IReadOnlyList<PreTokenizer> stages, SubwordModel model, AddedTokens added)
    {
        (this.normalizer, this.stages, this.model, this.added) = (normalizer, [.. stages], model, added);
        ranges = [.. stages.Select(_ => new List<PieceRange>())];
        spells = stages.Count > 0 && stages[^1].SpellsBytes;
        seams = spells ? null : model.Seams;
        splitter = stages switch { [var only] => only.Splitter, [var first, { IsWhole: true }] => first.Splitter, _ => null };
    }

    /// <summary>
    /// Whether stages can be gone through in this way: bytes are spelled by the last alone, and nobody asks where the text began.
    /// </summary>
    public static bool Takes(IReadOnlyList<PreTokenizer> stages, TextNormalizer? normalizer) =>
        !stages.SkipLast(1).Any(s => s.SpellsBytes)
        && (normalizer is null || !stages.Any(s => s is MetaspacePreTokenizer { AsksForStart: true }));

    /// <summary>Adds the ids of a text.</summary>
    public void Encode(string text, List<int> ids)
    {
        var found = new List<(int, int, int)>();
        added.AsWritten.Find(text, found);
        var inner = new List<(int, int, int)>();
        foreach (var (start, end, id) in found)
        {
            if (id >= 0)
            {
                ids.Add(id);
                continue;
            }

            string section = start == 0 && end == text.Length ? text : text[start..end];
            section = normalizer?.Apply(section) ?? section;
            inner.Clear();
            added.Normalized.Find(section, inner);
            foreach (var (from, to, other) in inner)
            {
                if (other >= 0)
                {
                    ids.Add(other);
                }
                else if (splitter is not null)
                {
                    Words(section.AsSpan(from, to - from), splitter, ids);
                }
                else
                {
                    Cut(section.AsSpan(from, to - from), 0, start == 0 && from == 0, ids);
                }
            }
        }
    }

    private void Words(ReadOnlySpan<char> text, WordSplitter words, List<int> ids)
    {
        for (int at = 0; at < text.Length;)
        {
            int end = words.End(text, at);
            Word(text[at..end], ids);
            at = end;
        }
    }

    private void Cut(ReadOnlySpan<char> text, int at, bool atStart, List<int> ids)
    {
        if (at == stages.Length)
        {
            Piece(text, ids);
            return;
        }

        var stage = stages[at];
        if (stage.Prepares)
        {
            text = stage.Prepare(text.ToString(), atStart);
        }

        var pieces = ranges[at];
        int first = pieces.Count;
        stage.Cut(text, pieces);
        int last = pieces.Count;
        bool isLast = at + 1 == stages.Length;
        for (int i = first; i < last; i++)
        {
            var (start, end) = pieces[i];
            if (start == end)
            {
                continue;
            }

            if (isLast)
            {
                Piece(text[start..end], ids);
            }
            else
            {
                Cut(text[start..end], at + 1, atStart && start == 0, ids);
            }
        }

        pieces.RemoveRange(first, last - first);
    }

    // A vocabulary whose pieces are lines or whole texts would merge each of them anew.
    private void Piece(ReadOnlySpan<char> piece, List<int> ids)
    {
        while (seams is not null && piece.Length > LongestWholePiece && seams.Next(piece) is var end && end < piece.Length)
        {
            Word(piece[..end], ids);
            piece = piece[end..];
        }

        Word(piece, ids);
    }

    private void Word(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestCachedWord)
        {
            Tokenize(word);
            ids.AddRange(CollectionsMarshal.AsSpan(made));
            return;
        }

        uint hash = WordCache.Hash(word);
        if (!cache.AddIds(word, hash, ids))
        {
            Tokenize(word);
            var own = CollectionsMarshal.AsSpan(made);
            cache.Keep(word, hash, own);
            ids.AddRange(own);
        }
    }

    private void Tokenize(ReadOnlySpan<char> word)
    {
        tokens.Clear();
        if (spells)
        {
            if (spelled.Length < word.Length * 3)
            {
                spelled = new char[word.Length * 3];
            }

            model.Encode(spelled.AsSpan(0, ByteAlphabet.Spell(word, spelled)), tokens);
        }
        else
        {
            model.Encode(word, tokens);
        }

        made.Clear();
        foreach (var token in tokens)
        {
            made.Add(token.Id);
        }
    }
}
