using System.Text;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The token behind a document, as a model's folder says it.</summary>
internal static class EndTokens
{
    /// <summary>What stands for no token at all.</summary>
    public const string None = "none";

    private static readonly Bytes s_most = new(64L << 20);

    /// <summary>The id of the token that ends documents.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="named">The token, "none", or null: eos_token of tokenizer_config.json, else eos_token_id of config.json.</param>
    /// <returns>Null where none was asked for.</returns>
    /// <exception cref="UserErrorException">There is no such token, or the folder says none.</exception>
    public static int? Of(TokenizerFile tokenizer, string? named)
    {
        if (named == None)
        {
            return null;
        }

        if (named is not null)
        {
            return tokenizer.Tokenizer.IdOf(named)
                ?? throw new UserErrorException($"{tokenizer.Path} has no token '{named}' to end documents with; name another by --end");
        }

        if (Member(Path.Combine(tokenizer.Folder, "tokenizer_config.json"), "eos_token") is { } token
            && (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content) ? content : token)
                is { ValueKind: JsonValueKind.String } text)
        {
            return tokenizer.Tokenizer.IdOf(text.GetString()!) ?? throw new UserErrorException(
                $"{tokenizer.Folder}/tokenizer_config.json says eos_token '{text}', which {tokenizer.Path} does not have; name the token "
                    + "that ends documents by --end, or say --end none");
        }

        if (Member(Path.Combine(tokenizer.Folder, "config.json"), "eos_token_id") is { } id
            && (id.ValueKind == JsonValueKind.Array && id.GetArrayLength() > 0 ? id[0] : id) is { ValueKind: JsonValueKind.Number } number
            && number.TryGetInt32(out int known))
        {
            return known;
        }

        throw new UserErrorException(
            $"{tokenizer.Folder} does not say which token ends a text (eos_token in tokenizer_config.json); name it by --end, or say "
                + "--end none");
    }

    private static JsonElement? Member(string path, string name)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(Encoding.UTF8.GetBytes(InputFile.ReadText(path, s_most)));
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var value)
                ? value.Clone() : null;
        }
        catch (JsonException)
        {
            throw new UserErrorException($"{path} is no JSON; fetch the model again");
        }
    }
}
