using System.Buffers;
using Dataflow.Model;
using Microsoft.ML.Tokenizers;

namespace Dataflow.Text.Tokenizers;

/// <summary>
/// A tokenizer by its own file, exactly as the library that the file is for: text to ids and back, with offsets. It is a
/// <see cref="Tokenizer"/> and can stand wherever .NET programs take one; what these ask for has no special tokens around it.
/// </summary>
public sealed class TextTokenizer : Tokenizer
{
    private readonly TokenCodec codec;

    private TextTokenizer(TokenCodec codec) => this.codec = codec;

    /// <summary>One more than the greatest id: how many rows the embedding of a model needs at least.</summary>
    public int IdCount => codec.IdCount;

    internal TokenCodec Codec => codec;

    /// <summary>The tokenizer of a tokenizer.json, as the Rust library of Hugging Face reads it.</summary>
    /// <param name="json">The file.</param>
    /// <exception cref="UserErrorException">It is none, or asks for what cannot be done exactly, which the message names.</exception>
    public static TextTokenizer FromJson(ReadOnlyMemory<byte> json) => new(TokenizerReader.Read(json));

    /// <summary>The tokenizer of a tokenizer.model, as SentencePiece reads it.</summary>
    /// <param name="model">The file.</param>
    /// <param name="addBegin">Whether special tokens are one that texts begin with, among others.</param>
    /// <param name="addEnd">Whether special tokens are one that texts end with, among others.</param>
    /// <exception cref="UserErrorException">It is none, or asks for what cannot be done exactly, which the message names.</exception>
    public static TextTokenizer FromSentencePiece(ReadOnlyMemory<byte> model, bool addBegin, bool addEnd) =>
        new(new SentencePieceCodec(SentencePieceFile.Read(model.Span), addBegin, addEnd));

    /// <summary>The token of an id; null for an id that is no token's.</summary>
    public string? TokenOf(int id) => codec.TokenOf(id);

    /// <summary>The id of a token; null for a text that is no token.</summary>
    public int? IdOf(string token) => codec.IdOf(token) is var id and >= 0 ? id : null;

    /// <summary>A text as tokens with their offsets.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the tokenizer's own template puts special tokens around it.</param>
    /// <exception cref="UserErrorException">The text is no valid Unicode.</exception>
    public EncodedText Encode(string text, bool addSpecialTokens) => codec.Encode(Checked(text), null, addSpecialTokens);

    /// <summary>Two texts as tokens, one after the other as the tokenizer's template says.</summary>
    /// <param name="text">The first text.</param>
    /// <param name="pair">The second.</param>
    /// <param name="addSpecialTokens">Whether the template puts special tokens around them.</param>
    /// <exception cref="UserErrorException">A text is no valid Unicode.</exception>
    public EncodedText Encode(string text, string pair, bool addSpecialTokens) =>
        codec.Encode(Checked(text), Checked(pair), addSpecialTokens);

    /// <summary>The ids of a text alone, which is many times as fast.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the tokenizer's own template puts special tokens around it.</param>
    /// <exception cref="UserErrorException">The text is no valid Unicode.</exception>
    public List<int> EncodeIds(string text, bool addSpecialTokens)
    {
        var ids = new List<int>(text.Length / 4 + 8);
        codec.Encode(Checked(text), addSpecialTokens, ids);
        return ids;
    }

    /// <summary>The ids of many texts, by all processors.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="addSpecialTokens">Whether the tokenizer's own template puts special tokens around each.</param>
    /// <exception cref="UserErrorException">A text is no valid Unicode.</exception>
    public List<int>[] EncodeIds(IReadOnlyList<string> texts, bool addSpecialTokens)
    {
        var made = new List<int>[texts.Count];
        try
        {
            Parallel.For(0, texts.Count, i => made[i] = EncodeIds(texts[i], addSpecialTokens));
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<UserErrorException>().FirstOrDefault() is { } fault)
        {
            throw fault;
        }

        return made;
    }

    /// <summary>The text of ids.</summary>
    /// <param name="ids">The ids; those that are no token's count for nothing.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(IReadOnlyList<int> ids, bool skipSpecialTokens) => codec.Decode(ids, skipSpecialTokens);

    /// <summary>Begins a text that comes id by id.</summary>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public DecodedStream Stream(bool skipSpecialTokens) => new(codec, skipSpecialTokens);

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids) => codec.Decode([.. ids], false);

    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        int[] all = [.. ids];
        string text = codec.Decode(all, false);
        if (!text.AsSpan().TryCopyTo(destination))
        {
            (idsConsumed, charsWritten) = (0, 0);
            return OperationStatus.DestinationTooSmall;
        }

        (idsConsumed, charsWritten) = (all.Length, text.Length);
        return OperationStatus.Done;
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        string whole = text ?? textSpan.ToString();
        var encoded = Encode(whole, addSpecialTokens: false);
        var places = Places(whole);
        int count = Math.Min(encoded.Ids.Count, settings.MaxTokenCount);
        var tokens = new List<EncodedToken>(count);
        for (int i = 0; i < count; i++)
        {
            var (start, end) = encoded.Ranges[i];
            var range = new Range(places[Math.Min(start, places.Count - 1)], places[Math.Min(end, places.Count - 1)]);
            tokens.Add(new(encoded.Ids[i], encoded.Tokens[i], range));
        }

        int consumed = count == encoded.Ids.Count ? whole.Length : count == 0 ? 0 : tokens[^1].Offset.End.Value;
        return new() { Tokens = tokens, CharsConsumed = consumed };
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        string whole = text ?? textSpan.ToString();
        var ids = EncodeIds(whole, addSpecialTokens: false);
        if (ids.Count > settings.MaxTokenCount)
        {
            var tokens = EncodeToTokens(whole, default, settings);
            return new() { Tokens = [.. tokens.Tokens.Select(t => t.Id)], CharsConsumed = tokens.CharsConsumed };
        }

        return new() { Tokens = ids, CharsConsumed = whole.Length };
    }

    private static List<int> Places(string text)
    {
        var places = new List<int>(text.Length + 1);
        for (int at = 0; at < text.Length;)
        {
            places.Add(at);
            CodePoints.At(text, at, out int length);
            at += length;
        }

        places.Add(text.Length);
        return places;
    }

    /// <summary>The text itself, if it is valid Unicode.</summary>
    internal static string Checked(string text)
    {
        for (int i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                throw new UserErrorException($"the text is no valid Unicode: at its place {i} stands half of a surrogate pair alone");
            }
        }

        return text;
    }
}
