using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>The tokenizer and the chat templates of a folder, as keys of a GGUF file.</summary>
internal static class FolderTexts
{
    private const string Json = "tokenizer.json";
    private const string Pieces = "tokenizer.model";
    private const string Config = "tokenizer_config.json";

    private static readonly Bytes s_most = new(1L << 30);
    private static readonly string[] s_templates = ["chat_template.jinja", "chat_template.json", Config];
    private static readonly string[] s_others = ["tekken.json", "tiktoken.model", "vocab.json", "vocab.txt"];

    /// <summary>The keys.</summary>
    /// <param name="folder">Null: there is none.</param>
    /// <param name="model">Whose folder it is; its config says ids of special tokens too.</param>
    /// <exception cref="UserErrorException">A file cannot be read, or the format has no words for it.</exception>
    public static TokenizerToGguf.Description Read(string? folder, ModelConfig model)
    {
        if (folder is null)
        {
            return TokenizerToGguf.None(Ids(model, null, null));
        }

        var config = Parsed(Path.Combine(folder, Config));
        var made = Tokenizer(folder, model, config);
        return made with { Values = [.. made.Values, .. Templates(folder)] };
    }

    private static TokenizerToGguf.Description Tokenizer(string folder, ModelConfig model, JsonObject? config)
    {
        string json = Path.Combine(folder, Json), pieces = Path.Combine(folder, Pieces);
        if (File.Exists(json))
        {
            byte[] bytes = InputFile.ReadBytes(json, s_most);
            var tokenizer = new Lazy<TextTokenizer>(() => TextTokenizer.FromJson(bytes));
            return TokenizerToGguf.Of(
                json, bytes, model.VocabSize, Ids(model, config, token => tokenizer.Value.IdOf(token)));
        }

        if (File.Exists(pieces))
        {
            byte[] bytes = InputFile.ReadBytes(pieces, s_most);
            bool Flag(string key) => config?[key]?.GetValueKind() == JsonValueKind.True;
            return SentencePieceToGguf.Of(
                pieces,
                bytes,
                model.VocabSize,
                (Flag("add_bos_token"), Flag("add_eos_token")),
                Ids(model, config, token => SentencePieceToGguf.IdOf(pieces, bytes, token)));
        }

        return s_others.FirstOrDefault(n => File.Exists(Path.Combine(folder, n))) is { } other
            ? throw new UserErrorException(
                $"{folder} has its tokenizer as {other} alone, and {Json} is needed for a GGUF file; save it in that form first")
            : TokenizerToGguf.None(Ids(model, null, null));
    }

    private static IEnumerable<KeyValuePair<string, GgufValue>> Templates(string folder)
    {
        string? Text(string name) => Path.Combine(folder, name) is var file && File.Exists(file) ? InputFile.ReadText(file, s_most) : null;
        if (!s_templates.Any(n => n == Config ? Parsed(Path.Combine(folder, n))?["chat_template"] is not null
            : File.Exists(Path.Combine(folder, n))))
        {
            yield break;
        }

        const string key = "tokenizer.chat_template";
        var templates = ModelTemplates.Read(Text);
        string[] names = [.. templates.Names.Where(n => n != "default").Order(StringComparer.Ordinal)];
        if (names.Length > 0)
        {
            yield return new("tokenizer.chat_templates", new GgufValue.List(GgufKind.String, names));
        }

        foreach (string name in templates.Names.Order(StringComparer.Ordinal))
        {
            yield return new(name == "default" ? key : $"{key}.{name}", new GgufValue.Text(templates.Choose(name, hasTools: false)));
        }
    }

    /// <summary>Of special tokens by their role: as tokenizer_config.json names them, else as config.json numbers them.</summary>
    private static Dictionary<string, int> Ids(ModelConfig model, JsonObject? tokenizer, Func<string, int?>? idOf)
    {
        var ids = new Dictionary<string, int>();
        var source = model.Origin.Source is { } text ? JsonNode.Parse(text) as JsonObject : null;
        foreach (var (role, key) in new[] { ("bos", "bos"), ("eos", "eos"), ("unknown", "unk") })
        {
            var named = tokenizer?[key + "_token"] is JsonObject { } whole ? whole["content"] : tokenizer?[key + "_token"];
            var numbered = source?[key + "_token_id"] ?? (source?["text_config"] as JsonObject)?[key + "_token_id"];
            numbered = numbered is JsonArray { Count: > 0 } several ? several[0] : numbered;
            int? id = named?.GetValueKind() == JsonValueKind.String ? idOf!(named.GetValue<string>())
                : numbered?.GetValueKind() == JsonValueKind.Number && numbered.AsValue().TryGetValue(out int number) ? number
                : null;
            if (id is >= 0 && id < model.VocabSize)
            {
                ids[role] = id.Value;
            }
        }

        if (model.PaddingId is { } padding)
        {
            ids["padding"] = padding;
        }

        return ids;
    }

    private static JsonObject? Parsed(string path)
    {
        try
        {
            return File.Exists(path) ? JsonNode.Parse(InputFile.ReadText(path, s_most)) as JsonObject : null;
        }
        catch (JsonException)
        {
            throw new UserErrorException($"{path} is no JSON; fetch the model again");
        }
    }
}
