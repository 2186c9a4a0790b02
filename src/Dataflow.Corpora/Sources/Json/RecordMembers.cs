using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>The members of a record that mean something.</summary>
internal struct RecordMembers
{
    public JsonValue Text;
    public JsonValue Prompt;
    public JsonValue Completion;
    public JsonValue Messages;
    public JsonValue Conversations;
    public JsonValue Chosen;
    public JsonValue Rejected;

    /// <summary>The one that the user named.</summary>
    public JsonValue Field;

    private JsonValue _tools;
    private JsonValue _documents;
    private JsonValue _variables;
    private JsonValue _templateVariables;

    /// <summary>Those that a conversation keeps.</summary>
    public readonly (string Key, JsonValue Value)[] BesideTurns =>
        [("tools", _tools), ("documents", _documents), ("kwargs", _variables), ("chat_template_kwargs", _templateVariables)];

    /// <summary>Goes through a record. What it is told is of the keys and of where the values lie; nothing is copied.</summary>
    /// <param name="json">The record, valid UTF-8.</param>
    /// <param name="field">The key that the user named.</param>
    /// <param name="place">Where it stands.</param>
    /// <exception cref="UserErrorException">It is no object of JSON.</exception>
    public static RecordMembers Read(ReadOnlySpan<byte> json, string? field, PassagePlace place)
    {
        var members = new RecordMembers();
        Utf8JsonReader reader = JsonSyntax.Reader(json);
        JsonSyntax.Next(ref reader, place);
        if (reader.TokenType != JsonTokenType.StartObject) throw new UserErrorException(
            $"{place} is {new JsonValue(reader.TokenType, 0, 0).Words}; it must be an object, as in {{\"text\": \"...\"}}");
        while (JsonSyntax.Next(ref reader, place) && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isField = field is not null && reader.ValueTextEquals(field);
            Utf8JsonReader name = reader;
            JsonSyntax.Next(ref reader, place);
            JsonTokenType kind = reader.TokenType;
            int start = (int)reader.TokenStartIndex;
            JsonSyntax.Skip(ref reader, place);
            var value = new JsonValue(kind, start, (int)reader.BytesConsumed);
            members.Take(ref name, value);
            if (isField) members.Field = value;
        }

        JsonSyntax.Next(ref reader, place);
        return members;
    }

    private void Take(ref Utf8JsonReader name, JsonValue value)
    {
        if (name.ValueTextEquals("text"u8)) Text = value;
        else if (name.ValueTextEquals("prompt"u8)) Prompt = value;
        else if (name.ValueTextEquals("completion"u8)) Completion = value;
        else if (name.ValueTextEquals("messages"u8)) Messages = value;
        else if (name.ValueTextEquals("conversations"u8)) Conversations = value;
        else if (name.ValueTextEquals("chosen"u8)) Chosen = value;
        else if (name.ValueTextEquals("rejected"u8)) Rejected = value;
        else if (name.ValueTextEquals("tools"u8)) _tools = value;
        else if (name.ValueTextEquals("documents"u8)) _documents = value;
        else if (name.ValueTextEquals("kwargs"u8)) _variables = value;
        else if (name.ValueTextEquals("chat_template_kwargs"u8)) _templateVariables = value;
    }
}
