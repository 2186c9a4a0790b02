using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Text.Templates;

/// <summary>In which form a conversation came.</summary>
public enum ConversationForm
{
    /// <summary>Turns with a role and content.</summary>
    Messages,

    /// <summary>ShareGPT's: turns with from and value, which become roles and content.</summary>
    ShareGpt,
}

/// <summary>A conversation and what a chat template is given with it.</summary>
public sealed class Conversation
{
    /// <summary>JSON nested more deeply is refused.</summary>
    private const int MaximumDepth = 200;

    private Conversation(JsonElement line, JsonElement messages, ConversationForm form, long size)
    {
        (Messages, Form, Size) = (messages, form, size);
        Tools = Member(line, "tools", JsonValueKind.Array, "a list");
        Documents = Member(line, "documents", JsonValueKind.Array, "a list");
        Variables = Member(line, "kwargs", JsonValueKind.Object, "an object");
        AddGenerationPrompt = Flag(line, "add_generation_prompt");
        ContinueFinalMessage = Flag(line, "continue_final_message");
    }

    /// <summary>The turns as they were written; in either form.</summary>
    public JsonElement Messages { get; }

    /// <summary>The functions that the assistant may call; null where none were given.</summary>
    public JsonElement? Tools { get; }

    /// <summary>The documents that it may look at; null where none were given.</summary>
    public JsonElement? Documents { get; }

    /// <summary>Further variables of the template (<c>kwargs</c>).</summary>
    public JsonElement? Variables { get; }

    /// <summary>Whether the text is to end where the assistant begins to speak.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Whether the text is to end within the last turn, for it to be gone on with.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>In which form the turns are.</summary>
    public ConversationForm Form { get; }

    /// <summary>What was found, in words.</summary>
    public string Finding => Form == ConversationForm.ShareGpt
        ? "conversations in ShareGPT's form (from, value), read as messages"
        : "conversations as messages (role, content)";

    /// <summary>Characters of the JSON that it came from.</summary>
    internal long Size { get; }

    /// <summary>
    /// Reads a conversation from an object of JSON: <c>messages</c> or <c>conversations</c>, and <c>tools</c>, <c>documents</c>,
    /// <c>kwargs</c>, <c>add_generation_prompt</c>, <c>continue_final_message</c>. Whether turns have a role or a from tells the form.
    /// </summary>
    /// <param name="json">The object.</param>
    /// <exception cref="UserErrorException">It is none, or has no turns, or turns of no known form.</exception>
    public static Conversation Parse(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaximumDepth });
            return Of(document.RootElement.Clone(), json.Length);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"this is no JSON object: {FirstSentence(e.Message)}");
        }
    }

    private static Conversation Of(JsonElement line, long size)
    {
        if (line.ValueKind != JsonValueKind.Object) throw new UserErrorException(
            "a conversation is an object with messages; this is not an object");
        bool hasMessages = line.TryGetProperty("messages", out JsonElement messages);
        bool hasConversations = line.TryGetProperty("conversations", out JsonElement conversations);
        if (hasMessages && hasConversations)
            throw new UserErrorException("messages and conversations are both given; keep the one that is to be rendered");
        if (!hasMessages && !hasConversations)
            throw new UserErrorException("there are neither messages nor conversations; a conversation needs one of them, a list of turns");
        string name = hasMessages ? "messages" : "conversations";
        JsonElement turns = hasMessages ? messages : conversations;
        if (turns.ValueKind != JsonValueKind.Array) throw new UserErrorException($"{name} is {Kind(turns)}; it must be a list of turns");
        return new Conversation(line, turns, FormOf(turns, name), size);
    }

    private static ConversationForm FormOf(JsonElement turns, string name)
    {
        ConversationForm? form = null;
        int at = 0;
        foreach (JsonElement turn in turns.EnumerateArray())
        {
            at++;
            if (turn.ValueKind != JsonValueKind.Object) throw new UserErrorException(
                $"turn {at} of {name} is {Kind(turn)}; it must be an object");
            bool hasRole = turn.TryGetProperty("role", out _), hasFrom = turn.TryGetProperty("from", out _);
            if (hasRole == hasFrom)
                throw new UserErrorException(
                    $"turn {at} of {name} has {(hasRole ? "both role and from" : "neither role nor from")}; one of them says who speaks");
            ConversationForm found = hasRole ? ConversationForm.Messages : ConversationForm.ShareGpt;
            if (form is not null
                && form != found) throw new UserErrorException($"{name} mixes turns with role and turns with from; write them alike");
            form = found;
        }
        return form ?? (name == "messages" ? ConversationForm.Messages : ConversationForm.ShareGpt);
    }

    private static JsonElement? Member(JsonElement line, string name, JsonValueKind kind, string expected)
    {
        if (!line.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return null;
        return value.ValueKind == kind ? value : throw new UserErrorException($"{name} is {Kind(value)}; it must be {expected}");
    }

    private static bool Flag(JsonElement line, string name)
    {
        if (!line.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return false;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw new UserErrorException($"{name} is {Kind(value)}; it must be true or false");
    }

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    private static string FirstSentence(string message) => message.Split(". ")[0].TrimEnd('.');
}
