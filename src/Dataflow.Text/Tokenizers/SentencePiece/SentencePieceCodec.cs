using System.Text;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>A tokenizer.model, as SentencePiece itself encodes and decodes by it.</summary>
internal sealed class SentencePieceCodec : TokenCodec
{
    private readonly SentencePieceFile file;
    private readonly SentencePieceVocabulary vocabulary;
    private readonly SentencePieceNormalizer normalizer;
    private readonly ISentencePieceModel model;
    private readonly bool addsBegin;
    private readonly bool addsEnd;

    /// <summary>By a file, and whether what begins and ends texts is put around them where special tokens are asked for.</summary>
    public SentencePieceCodec(SentencePieceFile file, bool addsBegin, bool addsEnd)
    {
        this.file = file;
        vocabulary = new(file);
        normalizer = new(file, vocabulary);
        model = file.IsBpe ? new ScoredMerges(vocabulary) : new BestSplit(vocabulary);
        (this.addsBegin, this.addsEnd) = (addsBegin, addsEnd);
        foreach (var (id, isAsked, name) in new[] { (file.Begin, addsBegin, "begins"), (file.End, addsEnd, "ends") })
        {
            if (isAsked && (id < 0 || id >= file.Pieces.Count))
            {
                throw new UserErrorException($"the model has no piece that a text {name} with (its id is {id}), and one was asked for");
            }
        }
    }

    /// <inheritdoc/>
    public override int IdCount => file.Pieces.Count;

    /// <summary>
    /// Only where nothing is mapped, as maps make spaces of line feeds, and where pieces merge: the scores of a best split are sums over
    /// the whole text, and their rounding depends on all of it. Pieces that are not used are taken apart by what the whole text was made
    /// of. Unknown characters join each other, so a line feed may be none.
    /// </summary>
    public override bool CutsAtLineStarts =>
        file.IsBpe && file.Map is null && !(file.AddsSpace && file.AddsSpaceAtEnd)
        && (file.FallsBackToBytes || vocabulary.TextPiece("\n") >= 0)
        && !file.Pieces.Any(p => p.Kind == PieceKind.Unused || LineStart.IsWithin(p.Text));

    /// <inheritdoc/>
    public override string? TokenOf(int id) => id >= 0 && id < file.Pieces.Count ? file.Pieces[id].Text : null;

    /// <inheritdoc/>
    public override int IdOf(string token) => vocabulary.IdOf(token) is var id && file.Pieces[id].Text == token ? id : -1;

    /// <inheritdoc/>
    public override EncodedText Encode(string text, string? pair, bool addsSpecial)
    {
        var made = new EncodedText();
        Encode(text, 0, addsSpecial, made);
        if (pair is not null)
        {
            Encode(pair, 1, addsSpecial, made);
        }

        return made;
    }

    /// <inheritdoc/>
    public override void Encode(string text, bool addsSpecial, List<int> ids) => ids.AddRange(Encode(text, null, addsSpecial).Ids);

    /// <inheritdoc/>
    public override string Decode(IReadOnlyList<int> ids, bool skipsSpecial)
    {
        var made = new StringBuilder();
        var run = new List<byte>();
        bool atStart = true;
        bool startSeen = false;
        foreach (int id in ids)
        {
            if (id < 0 || id >= file.Pieces.Count)
            {
                continue;
            }

            var (piece, _, kind) = file.Pieces[id];
            if (kind == PieceKind.Byte)
            {
                run.Add((byte)ByteFallbackDecoder.ByteOf(piece));
                continue;
            }

            Flush(run, made);
            atStart &= !startSeen && made.Length == 0;
            startSeen = false;
            switch (kind)
            {
                case PieceKind.Control:
                    break;
                case PieceKind.Unknown:
                    made.Append(file.UnknownShown);
                    break;
                default:
                    if (atStart && (file.AddsSpace || file.DropsSpaces) && piece[0] == SentencePieceNormalizer.Mark)
                    {
                        piece = piece[1..];
                        startSeen = !file.DropsSpaces;
                    }

                    made.Append(piece.Replace(SentencePieceNormalizer.Mark, ' '));
                    break;
            }
        }

        Flush(run, made);
        return made.ToString();
    }

    /// <inheritdoc/>
    public override bool EndsFor(int id) =>
        id >= 0 && id < file.Pieces.Count && vocabulary.Kind(id) is PieceKind.Normal or PieceKind.UserDefined;

    // Each byte that begins no whole character shows as U+FFFD.
    private static void Flush(List<byte> run, StringBuilder made)
    {
        for (int at = 0; at < run.Count;)
        {
            byte[] rest = [.. run.Skip(at).Take(4)];
            bool isWhole = Rune.DecodeFromUtf8(rest, out var rune, out int length) == System.Buffers.OperationStatus.Done;
            made.Append(isWhole ? rune.ToString() : "\uFFFD");
            at += isWhole ? length : 1;
        }

        run.Clear();
    }

    private void Encode(string text, int type, bool addsSpecial, EncodedText made)
    {
        if (addsSpecial && addsBegin)
        {
            made.Add(file.Begin, type, file.Pieces[file.Begin].Text, default);
        }

        var places = new List<int>(text.Length + 1);
        string normalized = normalizer.Apply(text, places);
        var pieces = new List<(PieceRange Range, int Id)>();
        model.Split(normalized, pieces);
        bool wasUnknown = false;
        foreach (var (range, id) in pieces)
        {
            bool isUnknown = id == vocabulary.Unknown;
            var offsets = new CodePointRange(places[range.Start], places[range.End]);
            string piece = normalized[range.Start..range.End];
            if (isUnknown && file.FallsBackToBytes)
            {
                AddBytes(piece, type, offsets, made);
            }
            else if (isUnknown && wasUnknown)
            {
                made.Ranges[^1] = made.Ranges[^1] with { End = offsets.End };
            }
            else
            {
                made.Add(id, type, piece, offsets);
            }

            wasUnknown = isUnknown;
        }

        if (addsSpecial && addsEnd)
        {
            made.Add(file.End, type, file.Pieces[file.End].Text, default);
        }
    }

    // The last byte stands for the whole character, the others for nothing.
    private void AddBytes(string piece, int type, CodePointRange offsets, EncodedText made)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(piece);
        for (int i = 0; i < bytes.Length; i++)
        {
            int id = vocabulary.Bytes[bytes[i]];
            made.Add(id, type, file.Pieces[id].Text, i == bytes.Length - 1 ? offsets : new(offsets.Start, offsets.Start));
        }
    }
}
