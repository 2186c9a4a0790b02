using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Templates;

/// <summary>The chat templates of a model's folder, by name, and the special tokens that they are given.</summary>
public sealed class ModelTemplates
{
    private const string Default = "default";
    private const string ToolUse = "tool_use";

    private static readonly string[] TokenNames =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Dictionary<string, string> templates = [];
    private readonly Dictionary<string, string> tokens = [];

    private ModelTemplates(string file) => File = file;

    /// <summary>The file that the templates are from.</summary>
    public string File { get; }

    /// <summary>The templates' names.</summary>
    public IReadOnlyCollection<string> Names => templates.Keys;

    /// <summary>The model's special tokens, as variables of its template.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens => tokens;

    /// <summary>
    /// Finds them: <c>chat_template.jinja</c>, else <c>chat_template.json</c>, else what <c>tokenizer_config.json</c> says under
    /// <c>chat_template</c>, one template or a list of named ones.
    /// </summary>
    /// <param name="read">The text of a file of the folder; null if there is none of that name.</param>
    /// <exception cref="UserErrorException">There is no template, or a file is not what it should be.</exception>
    public static ModelTemplates Read(Func<string, string?> read)
    {
        using JsonDocument? config = Parse(read("tokenizer_config.json"), "tokenizer_config.json");
        using JsonDocument? processor = Parse(read("chat_template.json"), "chat_template.json");
        ModelTemplates found;
        if (read("chat_template.jinja") is { } text)
        {
            found = new ModelTemplates("chat_template.jinja");
            found.templates[Default] = text;
        }
        else if (Member(processor) is { } single) found = Named("chat_template.json", single);
        else if (Member(config) is { } member) found = Named("tokenizer_config.json", member);
        else throw new UserErrorException(
            "there is no chat template: neither chat_template.jinja nor chat_template in tokenizer_config.json");
        using JsonDocument? map = Parse(read("special_tokens_map.json"), "special_tokens_map.json");
        found.ReadTokens(map);
        found.ReadTokens(config);
        return found;
    }

    /// <summary>The special tokens that a folder names, whether it has a template or not.</summary>
    /// <param name="read">The text of a file of the folder; null if there is none of that name.</param>
    /// <exception cref="UserErrorException">A file is no JSON.</exception>
    public static IReadOnlyDictionary<string, string> TokensOf(Func<string, string?> read)
    {
        using JsonDocument? config = Parse(read("tokenizer_config.json"), "tokenizer_config.json");
        using JsonDocument? map = Parse(read("special_tokens_map.json"), "special_tokens_map.json");
        ModelTemplates found = new("");
        found.ReadTokens(map);
        found.ReadTokens(config);
        return found.tokens;
    }

    /// <summary>The template to use.</summary>
    /// <param name="name">The one of this name; null for tool_use where there are tools and such a one, else for the default.</param>
    /// <param name="hasTools">Whether the conversation has tools.</param>
    /// <exception cref="UserErrorException">There is no such template.</exception>
    public string Choose(string? name, bool hasTools)
    {
        string wanted = name ?? (hasTools && templates.ContainsKey(ToolUse) ? ToolUse : Default);
        return templates.TryGetValue(wanted, out string? template) ? template
            : throw new UserErrorException(
                $"{File} has no chat template named {wanted}; it has {string.Join(", ", templates.Keys.Order(StringComparer.Ordinal))}");
    }

    private static ModelTemplates Named(string file, JsonElement member)
    {
        ModelTemplates found = new(file);
        if (member.ValueKind == JsonValueKind.String) found.templates[Default] = member.GetString()!;
        else if (member.ValueKind == JsonValueKind.Array)
            foreach (JsonElement entry in member.EnumerateArray())
                found.templates[Text(entry, "name", file)] = Text(entry, "template", file);
        else throw new UserErrorException($"chat_template of {file} is neither text nor a list of named templates");
        return found;
    }

    private static string Text(JsonElement entry, string member, string file) =>
        entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty(member, out JsonElement value)
            && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new UserErrorException($"a chat_template of {file} lacks its {member}, which must be text");

    private static JsonElement? Member(JsonDocument? document) =>
        document is not null && document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("chat_template", out JsonElement member) && member.ValueKind != JsonValueKind.Null
            ? member : null;

    private static JsonDocument? Parse(string? text, string file)
    {
        try
        {
            return text is null ? null : JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{file} is no JSON (line {e.LineNumber + 1}); fetch the model again");
        }
    }

    private void ReadTokens(JsonDocument? document)
    {
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object) return;
        foreach (string name in TokenNames)
        {
            if (!document.RootElement.TryGetProperty(name, out JsonElement token)) continue;
            if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement content)) token = content;
            if (token.ValueKind == JsonValueKind.String) tokens[name] = token.GetString()!;
            else if (token.ValueKind == JsonValueKind.Null) tokens.Remove(name);
        }
    }
}
