using System.Globalization;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;

namespace Dataflow.Formats;

/// <summary>A tokenizer.model as the keys of a GGUF file, which has its pieces, scores and kinds as they are.</summary>
internal static class SentencePieceToGguf
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>The keys.</summary>
    /// <param name="path">Its file, for messages.</param>
    /// <param name="model">The file.</param>
    /// <param name="rows">Of the model's vocabulary.</param>
    /// <param name="around">Whether texts begin and end with a special token.</param>
    /// <param name="special">Ids of special tokens by their role, where something else says them.</param>
    /// <exception cref="UserErrorException">The format has no words for it.</exception>
    public static TokenizerToGguf.Description Of(
        string path, byte[] model, int rows, (bool Begin, bool End) around, IReadOnlyDictionary<string, int> special)
    {
        var read = Read(path, model);
        if (read.Pieces.Count > rows)
        {
            throw new UserErrorException(
                $"{path} has {read.Pieces.Count} tokens, and the model's vocabulary {rows}; give the folder the model's own tokenizer");
        }

        var ids = new Dictionary<string, int>(special);
        foreach (var (role, id) in new[] { ("bos", read.Begin), ("eos", read.End), ("unknown", Unknown(read)) })
        {
            if (id is { } known && known < rows)
            {
                ids.TryAdd(role, known);
            }
        }

        ScoredPiece[] pieces =
        [
            .. read.Pieces,
            .. Enumerable.Range(read.Pieces.Count, rows - read.Pieces.Count).Select(id =>
                new ScoredPiece(string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]"), 0, (int)TokenType.Unused)),
        ];
        (string Key, GgufValue Value)[] values =
        [
            ("model", new GgufValue.Text("llama")),
            ("pre", new GgufValue.Text("default")),
            ("tokens", new GgufValue.List(GgufKind.String, Array.ConvertAll(pieces, p => p.Text))),
            ("scores", new GgufValue.List(GgufKind.Float32, Array.ConvertAll(pieces, p => p.Score))),
            ("token_type", new GgufValue.List(GgufKind.Int32, Array.ConvertAll(pieces, p => p.Kind))),
            ("add_space_prefix", new GgufValue.Flag(read.AddsSpace)),
            ("add_bos_token", new GgufValue.Flag(around.Begin)),
            ("add_eos_token", new GgufValue.Flag(around.End)),
        ];
        return new(
            [
                .. values.Select(v => KeyValuePair.Create(Prefix + v.Key, v.Value)),
                .. ids.Select(i => KeyValuePair.Create($"{Prefix}{i.Key}_token_id", GgufValue.UInt32(i.Value))),
            ],
            []);
    }

    /// <summary>The id of a piece; null if there is none of that text.</summary>
    public static int? IdOf(string path, byte[] model, string piece)
    {
        var pieces = Read(path, model).Pieces;
        return Enumerable.Range(0, pieces.Count).Where(i => pieces[i].Text == piece).Select(i => (int?)i).FirstOrDefault();
    }

    private static int? Unknown(ScoredVocabulary read) =>
        Enumerable.Range(0, read.Pieces.Count).Where(i => read.Pieces[i].Kind == (int)TokenType.Unknown).Select(i => (int?)i)
            .FirstOrDefault();

    private static ScoredVocabulary Read(string path, byte[] model)
    {
        try
        {
            return ScoredVocabulary.Read(model);
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{path} cannot be in a GGUF file: {e.Message}; export a folder instead");
        }
    }
}
