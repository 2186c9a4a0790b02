using System.Buffers;
using System.Runtime.InteropServices;
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

    private readonly Lazy<bool> cutsAtLineStarts;
    private readonly Lazy<List<int>> context;

    private TextTokenizer(TokenCodec codec)
    {
        this.codec = codec;
        cutsAtLineStarts = new(() => codec.CutsAtLineStarts);
        context = new(() => EncodeIds(LineStart.Context, addSpecialTokens: false));
    }

    /// <summary>One more than the greatest id: how many rows the embedding of a model needs at least.</summary>
    public int IdCount => codec.IdCount;

    /// <summary>
    /// Whether a text may be cut before any first letter of a line (<see cref="IsLineStart"/>) and its parts, encoded one by one by
    /// <see cref="EncodeIds(string, bool, List{int})"/>, have together the very ids of the whole. It is so where that can be proven from
    /// what the tokenizer does and from its tokens.
    /// </summary>
    public bool CutsAtLineStarts => cutsAtLineStarts.Value;

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

    /// <summary>Adds the ids of a part of a text, without special tokens around it.</summary>
    /// <param name="part">The part.</param>
    /// <param name="continues">
    /// Whether it continues a text that was cut before it, at the first letter of a line (<see cref="IsLineStart"/>): what a tokenizer puts
    /// before a text is then not put before the part. It needs <see cref="CutsAtLineStarts"/>.
    /// </param>
    /// <param name="ids">What they are added to.</param>
    /// <exception cref="UserErrorException">The part is no valid Unicode.</exception>
    /// <exception cref="InvalidOperationException">This tokenizer's texts may not be cut.</exception>
    /// <exception cref="ArgumentException">A part that continues a text begins with no ASCII letter.</exception>
    public void EncodeIds(string part, bool continues, List<int> ids)
    {
        if (!continues)
        {
            codec.Encode(Checked(part), addsSpecial: false, ids);
            return;
        }

        if (!CutsAtLineStarts)
        {
            throw new InvalidOperationException("texts may not be cut for this tokenizer: see CutsAtLineStarts");
        }

        if (part.Length == 0 || !char.IsAsciiLetter(part[0]))
        {
            throw new ArgumentException("a part that continues a text begins with an ASCII letter, the first of a line", nameof(part));
        }

        // The cut hides what the line before was: any line does in its place, and its ids are taken off again.
        int first = ids.Count;
        codec.Encode(LineStart.Context + Checked(part), addsSpecial: false, ids);
        if (!CollectionsMarshal.AsSpan(ids)[first..].StartsWith(CollectionsMarshal.AsSpan(context.Value)))
        {
            throw new InvalidOperationException("a text's ids depend on what stands behind a cut: CutsAtLineStarts is wrong");
        }

        ids.RemoveRange(first, context.Value.Count);
    }

    /// <summary>
    /// Whether a text may be cut before a place: before an ASCII letter that follows a line feed, which follows what is no white space.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="at">The place.</param>
    public static bool IsLineStart(ReadOnlySpan<char> text, int at) => LineStart.Is(text, at);

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
