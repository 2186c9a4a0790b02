using System.Collections.Concurrent;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// The stages of a tokenizer.json: added tokens, normalizer, pre-tokenizer, model, post-processor, and back by the decoder.
/// </summary>
internal sealed class TokenizerPipeline : TokenCodec
{
    private readonly TextNormalizer? normalizer;
    private readonly IReadOnlyList<PreTokenizer> stages;
    private readonly SubwordModel model;
    private readonly AddedTokens added;
    private readonly PostProcessor? post;
    private readonly TokenDecoder? decoder;
    private readonly ConcurrentBag<IdEncoder> encoders = [];
    private readonly bool decodesStepwise;
    private readonly Lazy<bool> cutsAtLineStarts;

    /// <summary>Puts the stages together.</summary>
    public TokenizerPipeline(
        TextNormalizer? normalizer, IReadOnlyList<PreTokenizer> stages, SubwordModel model, AddedTokens added, PostProcessor? post,
        TokenDecoder? decoder)
    {
        (this.normalizer, this.stages, this.model, this.added, this.post, this.decoder) = (normalizer, stages, model, added, post, decoder);
        decodesStepwise = IsStepwise(decoder);
        cutsAtLineStarts = new(() => LineStarts.Hold(normalizer, stages, model, added));
        IdCount = Math.Max(model.Vocabulary.All.Select(p => p.Value).DefaultIfEmpty(-1).Max(), added.All.Keys.DefaultIfEmpty(-1).Max()) + 1;
    }

    /// <inheritdoc/>
    public override int IdCount { get; }

    /// <inheritdoc/>
    public override bool CutsAtLineStarts => cutsAtLineStarts.Value;

    /// <inheritdoc/>
    public override string? TokenOf(int id) => added.TokenOf(id) ?? model.Vocabulary.TokenOf(id);

    /// <inheritdoc/>
    public override int IdOf(string token) => added.IdOf(token) is var id and >= 0 ? id : model.Vocabulary.IdOf(token);

    /// <inheritdoc/>
    public override EncodedText Encode(string text, string? pair, bool addsSpecial)
    {
        List<EncodedText> texts = [Encode(text, 0)];
        if (pair is not null)
        {
            texts.Add(Encode(pair, 1));
        }

        var parts = post?.Apply(texts, addsSpecial) ?? texts;
        if (parts.Count == 1)
        {
            return parts[0];
        }

        var whole = new EncodedText();
        parts.ForEach(whole.Add);
        return whole;
    }

    /// <inheritdoc/>
    public override void Encode(string text, bool addsSpecial, List<int> ids)
    {
        var around = post is null ? ([], []) : post.Around;
        if (around is not { } special || !IdEncoder.Takes(stages, normalizer))
        {
            ids.AddRange(Encode(text, null, addsSpecial).Ids);
            return;
        }

        if (addsSpecial)
        {
            ids.AddRange(special.Before);
        }

        // One a thread at a time: each has its own memory of words.
        var encoder = encoders.TryTake(out var idle) ? idle : new(normalizer, stages, model, added);
        encoder.Encode(text, ids);
        encoders.Add(encoder);
        if (addsSpecial)
        {
            ids.AddRange(special.After);
        }
    }

    /// <inheritdoc/>
    public override string Decode(IReadOnlyList<int> ids, bool skipsSpecial)
    {
        var tokens = new List<string>(ids.Count);
        foreach (int id in ids)
        {
            if ((added.ShownFor(id) ?? model.Vocabulary.TokenOf(id)) is { } token && !(skipsSpecial && added.IsSpecial(token)))
            {
                tokens.Add(token);
            }
        }

        return decoder is null ? string.Join(' ', tokens) : string.Concat(decoder.Apply(tokens));
    }

    /// <inheritdoc/>
    public override bool EndsFor(int id) => decodesStepwise && TokenOf(id) is { } token && ByteFallbackDecoder.ByteOf(token) < 0;

    /// <summary>The pieces that a model is shown of a text in which no added tokens are looked for: what a trainer counts.</summary>
    public static IEnumerable<string> Pieces(string text, IReadOnlyList<PreTokenizer> stages) =>
        Cut(AlignedText.Of(text), stages).Select(p => p.Text);

    // A decoder that looks at the whole text at once can change what was shown.
    private static bool IsStepwise(TokenDecoder? decoder)
    {
        if (decoder is not DecoderSequence sequence)
        {
            return true;
        }

        bool isFused = false;
        foreach (var part in sequence.Parts)
        {
            if (part is DecoderSequence || (isFused && part is not StripDecoder { LooksAtEnds: false } and not FuseDecoder))
            {
                return false;
            }

            isFused |= part is FuseDecoder or ByteLevelDecoder;
        }

        return true;
    }

    private static List<AlignedText> Cut(AlignedText text, IReadOnlyList<PreTokenizer> stages)
    {
        List<AlignedText> pieces = text.Text.Length == 0 ? [] : [text];
        foreach (var stage in stages)
        {
            pieces = stage.Apply(pieces);
        }

        return pieces;
    }

    private EncodedText Encode(string text, int type)
    {
        var encoded = new EncodedText();
        var whole = AlignedText.Of(text);
        var found = new List<(int, int, int)>();
        added.AsWritten.Find(text, found);
        foreach (var (start, end, id) in found)
        {
            var section = whole.Slice(start, end);
            if (id >= 0)
            {
                encoded.Add(id, type, section.Text, section.Original(0, section.Text.Length));
            }
            else
            {
                EncodeSection(section, type, encoded);
            }
        }

        Finish(encoded, text, whole.End);
        return encoded;
    }

    private void EncodeSection(AlignedText section, int type, EncodedText encoded)
    {
        normalizer?.Apply(section);
        var found = new List<(int, int, int)>();
        added.Normalized.Find(section.Text, found);
        var tokens = new List<PieceToken>();
        foreach (var (start, end, id) in found)
        {
            var part = section.Slice(start, end);
            if (id >= 0)
            {
                encoded.Add(id, type, part.Text, part.Original(0, part.Text.Length));
                continue;
            }

            foreach (var piece in Cut(part, stages))
            {
                tokens.Clear();
                model.Encode(piece.Text, tokens);
                new PieceOffsets(piece).Add(tokens, type, model, encoded);
            }
        }
    }

    // What stands for nothing at the very end of a text has its place in bytes there: so the library gives it.
    private static void Finish(EncodedText encoded, string text, int length)
    {
        for (int i = encoded.Ranges.Count - 1; i >= 0 && encoded.Ranges[i].Start >= length; i--)
        {
            if (encoded.Ranges[i] == new CodePointRange(length, length))
            {
                int bytes = System.Text.Encoding.UTF8.GetByteCount(text);
                encoded.Ranges[i] = new(bytes, bytes);
            }
        }
    }
}
