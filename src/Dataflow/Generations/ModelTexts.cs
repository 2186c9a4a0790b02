using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Who says what in a conversation.</summary>
/// <param name="Role">"system", "user" or "assistant", or what else the template knows.</param>
/// <param name="Content">What is said.</param>
public readonly record struct ChatMessage(string Role, string Content);

/// <summary>From texts to a model's token ids and back, as the files of its folder say: tokenizer, chat template, ends.</summary>
public sealed class ModelTexts
{
    private static readonly Bytes s_most = new(16L << 20);
    private readonly ModelTemplates? templates;
    private readonly ChatTemplate? template;

    private ModelTexts(TextTokenizer tokenizer, ModelTemplates? templates, ChatTemplate? template, IReadOnlySet<int> ends) =>
        (Tokenizer, this.templates, this.template, Ends) = (tokenizer, templates, template, ends);

    /// <summary>The tokenizer.</summary>
    public TextTokenizer Tokenizer { get; }

    /// <summary>The ids that end a text: those of generation_config.json, else of config.json, else the tokenizer's end token.</summary>
    public IReadOnlySet<int> Ends { get; }

    /// <summary>Whether conversations can be written in a form that the model knows.</summary>
    public bool HasTemplate => template is not null;

    /// <summary>Reads a folder's.</summary>
    /// <param name="folder">A model's folder, or hf:owner/name.</param>
    /// <param name="templateName">The name of one of its chat templates; null: the default.</param>
    /// <exception cref="UserErrorException">There is no tokenizer, or a file is not what it should be.</exception>
    public static ModelTexts Open(string folder, string? templateName = null)
    {
        var file = TokenizerFolder.Open(folder);
        var templates = ChatTemplates.Of(file.Folder);
        if (templates is null && templateName is not null)
        {
            throw new UserErrorException($"{file.Folder} has no chat template, so none is named {templateName}");
        }

        var template = templates is null ? null : ChatTemplate.Parse(templates.Choose(templateName, hasTools: false));
        return new ModelTexts(file.Tokenizer, templates, template, EndsOf(file));
    }

    /// <summary>The ids of a text, with what the tokenizer puts before one.</summary>
    public int[] Encode(string text) => [.. Tokenizer.EncodeIds(text, addSpecialTokens: true)];

    /// <summary>The ids of a conversation, up to where the assistant begins to speak.</summary>
    /// <exception cref="UserErrorException">The model has no chat template, or the template refuses the conversation.</exception>
    public int[] Encode(IReadOnlyList<ChatMessage> messages)
    {
        if (template is null)
        {
            throw new UserErrorException(
                "the model has no chat template, so it knows no conversations; give a text to be continued instead");
        }

        var turns = new JsonArray([.. messages.Select(m => new JsonObject { ["role"] = m.Role, ["content"] = m.Content })]);
        string line = new JsonObject { ["messages"] = turns, ["add_generation_prompt"] = true }.ToJsonString();
        try
        {
            var rendered = template.Render(
                Conversation.Parse(line), new RenderOptions { SpecialTokens = templates!.SpecialTokens, Now = DateTime.Now });
            return [.. Tokenizer.EncodeIds(rendered.Text, addSpecialTokens: false)];
        }
        catch (TemplateException e)
        {
            throw new UserErrorException($"the chat template refuses the conversation: {e.Message}");
        }
    }

    private static HashSet<int> EndsOf(TokenizerFile file)
    {
        foreach (string name in new[] { "generation_config.json", "config.json" })
        {
            if (IdsIn(Path.Combine(file.Folder, name)) is { Count: > 0 } ids)
            {
                return ids;
            }
        }

        return ChatTemplates.TokensOf(file.Folder).TryGetValue("eos_token", out string? token) && file.Tokenizer.IdOf(token) is { } id
            ? [id] : [];
    }

    /// <summary>eos_token_id: a number or several; of a model with other parts, the text part's.</summary>
    private static HashSet<int> IdsIn(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        try
        {
            using var document = JsonDocument.Parse(InputFile.ReadText(path, s_most));
            foreach (var part in new[] { document.RootElement, Part(document.RootElement) })
            {
                if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("eos_token_id", out var ids))
                {
                    return ids.ValueKind == JsonValueKind.Array ? [.. ids.EnumerateArray().SelectMany(Number)] : [.. Number(ids)];
                }
            }

            return [];
        }
        catch (JsonException)
        {
            throw new UserErrorException($"{path} is no JSON; fetch the model again");
        }
    }

    private static JsonElement Part(JsonElement config) =>
        config.ValueKind == JsonValueKind.Object && config.TryGetProperty("text_config", out var text) ? text : default;

    private static IEnumerable<int> Number(JsonElement id) =>
        id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number) ? [number] : [];
}
