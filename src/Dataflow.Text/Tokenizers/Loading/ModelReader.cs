using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>The model of a tokenizer's file: its vocabulary and how pieces become its tokens.</summary>
internal static class ModelReader
{
    /// <summary>Reads one.</summary>
    public static SubwordModel Read(JsonElement element)
    {
        var node = new JsonNodeReader(element, "model");
        SubwordModel made = (node.Type ?? Guess(node)) switch
        {
            "BPE" => Bpe(node),
            "Unigram" => Unigram(node),
            _ => throw node.Unknown("BPE and Unigram"),
        };
        node.Finish();
        return made;
    }

    // Older files do not say the type.
    private static string? Guess(JsonNodeReader node) =>
        node.Value("merges") is not null ? "BPE" : node.Value("vocab") is { ValueKind: JsonValueKind.Array } ? "Unigram" : null;

    private static BpeModel Bpe(JsonNodeReader node)
    {
        if (node.Value("dropout") is { } dropout && (dropout.ValueKind != JsonValueKind.Number || dropout.GetDouble() != 0))
        {
            throw new UserErrorException(
                $"{node.At("dropout")} is {JsonNodeReader.Kind(dropout)}: merges left out by chance are not supported");
        }

        var vocab = node.Required("vocab");
        if (vocab.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException(
                $"{node.At("vocab")} is {JsonNodeReader.Kind(vocab)}, and an object of tokens and ids was expected");
        }

        string path = node.At("vocab");
        var pairs = vocab.EnumerateObject().Select(p => KeyValuePair.Create(Name(p, path), JsonNodeReader.Number(p.Value, path)));
        var merges = node.Elements("merges").Select((m, i) => Merge(m, $"{node.At("merges")}[{i}]")).OfType<(string, string)>().ToList();
        return new(new(pairs), merges, new()
        {
            Unknown = node.OptionalText("unk_token"),
            FusesUnknown = node.Flag("fuse_unk", false),
            FallsBackToBytes = node.Flag("byte_fallback", false),
            IgnoresMerges = node.Flag("ignore_merges", false),
            Prefix = node.OptionalText("continuing_subword_prefix") ?? "",
            Suffix = node.OptionalText("end_of_word_suffix") ?? "",
        });
    }

    private static string Name(JsonProperty property, string path)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw new UserErrorException($"{path} has a token that is no valid Unicode: it spells half of a surrogate pair");
        }
    }

    private static (string Left, string Right)? Merge(JsonElement element, string path)
    {
        string[] parts = element.ValueKind == JsonValueKind.String
            ? JsonNodeReader.Text(element, path).Split(' ')
            : [.. JsonNodeReader.List(element, path).Select(e => JsonNodeReader.Text(e, path))];
        return parts is [var left, var right] ? (left, right)
            : parts[0].StartsWith("#version", StringComparison.Ordinal) ? null
            : throw new UserErrorException($"{path} has {parts.Length} parts, and a merge has two");
    }

    private static UnigramModel Unigram(JsonNodeReader node)
    {
        var pieces = node.Elements("vocab").Select((e, i) => Piece(e, $"{node.At("vocab")}[{i}]")).ToList();
        int? unknown = node.Number("unk_id");
        if (unknown >= pieces.Count)
        {
            throw new UserErrorException($"{node.At("unk_id")} is {unknown}, and model.vocab has {pieces.Count} tokens");
        }

        foreach (string sampling in new[] { "alpha", "nbest_size" })
        {
            if (node.Value(sampling) is { } value)
            {
                throw new UserErrorException(
                    $"{node.At(sampling)} is {JsonNodeReader.Kind(value)}: splits chosen by chance are not supported");
            }
        }

        return new(pieces, unknown ?? -1, node.Flag("byte_fallback", false));
    }

    private static (string Token, double Score) Piece(JsonElement element, string path)
    {
        var parts = JsonNodeReader.List(element, path).ToList();
        return parts is [var token, { ValueKind: JsonValueKind.Number } score]
            ? (JsonNodeReader.Text(token, path), score.GetDouble())
            : throw new UserErrorException($"{path} is no token with its score");
    }
}
