using System.Text;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Corpora;

/// <summary>
/// Documents from objects of JSON: text, a prompt with its completion, a conversation, or a preference, told by the keys. Of a key that is
/// there twice the last counts.
/// </summary>
/// <param name="field">The key that is read; null if the keys tell.</param>
/// <param name="findings">What the documents before were.</param>
internal sealed class DocumentRecords(string? field, Findings findings)
{
    /// <summary>The key that is read; null if the keys tell.</summary>
    public string? Field { get; } = field;

    /// <summary>Reads one.</summary>
    /// <param name="json">An object, and nothing else but white space.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="next">Where reading goes on after it.</param>
    /// <exception cref="UserErrorException">It is no document.</exception>
    public Passage Read(ReadOnlySpan<byte> json, PassagePlace place, SourcePosition next)
    {
        Utf8Text.Check(json, place);
        RecordMembers members = RecordMembers.Read(json, Field, place);
        JsonValue chosen = Chosen(json, members, place, out string key);
        Passage passage = key == "chosen" && members.Rejected.IsGiven ? Preference(json, members, place, next)
            : key == "completion" && members.Prompt.IsGiven ? Completion(json, members, place, next)
            : chosen.IsList || key is "messages" or "conversations" ? Conversation(json, members, new Turns(key, chosen), place, next)
            : new Passage(DocumentKind.Text, Text(json, chosen, key, place)) { Place = place, Next = next };
        findings.Check(passage.Kind, place, () => Form(passage, key, members, place));
        return passage;
    }

    /// <summary>Makes a document of a text.</summary>
    /// <param name="text">Its bytes.</param>
    /// <param name="key">What it is called.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="next">Where reading goes on after it.</param>
    public Passage ReadText(ReadOnlySpan<byte> text, string key, PassagePlace place, SourcePosition next)
    {
        findings.Check(DocumentKind.Text, place, () => $"texts ({key})");
        return new Passage(DocumentKind.Text, Utf8Text.Decode(text, place)) { Place = place, Next = next };
    }

    /// <summary>The value that holds the document; of a prompt and its completion the completion.</summary>
    private JsonValue Chosen(ReadOnlySpan<byte> json, in RecordMembers members, PassagePlace place, out string key)
    {
        if (Field is not null)
        {
            key = Field;
            return members.Field.Exists ? members.Field : throw new UserErrorException(
                $"{place} has no {Field}, which --field names; it has {Keys(json)}");
        }

        List<string> given = [];
        if (members.Text.IsGiven) given.Add("text");
        if (members.Prompt.IsGiven && members.Completion.IsGiven) given.Add("completion");
        if (members.Messages.IsGiven) given.Add("messages");
        if (members.Conversations.IsGiven) given.Add("conversations");
        // Published pairs often have their conversations besides, which the keys of those alone have always meant.
        if (given.Count == 0 && members.Chosen.IsGiven && members.Rejected.IsGiven) given.Add("chosen");
        if (given.Count > 1)
            throw new UserErrorException($"{place} has {string.Join(" and ", given)}; name the one that is meant with --field");
        key = given.Count == 1 ? given[0] : throw Nothing(json, members, place);
        return key switch
        {
            "text" => members.Text,
            "completion" => members.Completion,
            "messages" => members.Messages,
            "chosen" => members.Chosen,
            _ => members.Conversations,
        };
    }

    private static UserErrorException Nothing(ReadOnlySpan<byte> json, in RecordMembers members, PassagePlace place)
    {
        (string Key, JsonValue Value)[] known =
        [
            ("text", members.Text), ("messages", members.Messages), ("conversations", members.Conversations),
            ("prompt", members.Prompt), ("completion", members.Completion), ("chosen", members.Chosen), ("rejected", members.Rejected),
        ];
        foreach ((string key, JsonValue value) in known)
            if (value.Kind == JsonTokenType.Null) return new UserErrorException($"{place}: {key} is null; leave such records out");
        if (members.Chosen.Exists != members.Rejected.Exists) return new UserErrorException(
            $"{place} has a {(members.Chosen.Exists ? "chosen" : "rejected")} answer alone; name what is to be read with --field");
        if (members.Prompt.Exists) return new UserErrorException(
            $"{place} has a prompt without a completion; name what is to be read with --field");
        return new UserErrorException(
            $"{place} has {Keys(json)}; needed are text, prompt and completion, messages, conversations, or prompt, chosen and rejected, "
                + "or name the key that holds the text with --field");
    }

    private static Passage Completion(ReadOnlySpan<byte> json, in RecordMembers members, PassagePlace place, SourcePosition next)
    {
        if (members.Prompt.IsList && members.Completion.IsList)
        {
            var turns = new Turns("messages", members.Prompt) { Completion = members.Completion };
            return Conversation(json, members, turns, place, next);
        }

        if (members.Prompt.IsList || members.Completion.IsList) throw new UserErrorException(
            $"{place}: prompt is {members.Prompt.Words} and completion is {members.Completion.Words}; "
                + "both must be text, or lists of messages");
        string prompt = Text(json, members.Prompt, "prompt", place), completion = Text(json, members.Completion, "completion", place);
        return new Passage(DocumentKind.Completion, prompt + completion) { PromptLength = prompt.Length, Place = place, Next = next };
    }

    /// <summary>Two answers to one prompt: all three are texts, or turns, of which the prompt's may stand in both answers alone.</summary>
    private static Passage Preference(ReadOnlySpan<byte> json, in RecordMembers members, PassagePlace place, SourcePosition next)
    {
        JsonValue prompt = members.Prompt, chosen = members.Chosen, rejected = members.Rejected;
        if (!chosen.IsList && !rejected.IsList)
        {
            if (!prompt.IsGiven) throw new UserErrorException(
                $"{place} has answers without a prompt; give it as prompt, for what is compared are answers to one prompt");
            string text = Text(json, prompt, "prompt", place);
            return new Passage(DocumentKind.Preference, text + Text(json, chosen, "chosen", place))
            {
                PromptLength = text.Length, Rejected = text + Text(json, rejected, "rejected", place), Place = place, Next = next,
            };
        }

        if (!chosen.IsList || !rejected.IsList) throw new UserErrorException(
            $"{place}: chosen is {chosen.Words} and rejected is {rejected.Words}; both must be text, or lists of messages");
        int? common = prompt.IsList ? null : TurnsInCommon(json, place);
        Turns ofChosen = common is null
            ? new Turns("messages", prompt) { Completion = chosen }
            : new Turns("chosen", chosen) { From = common };
        Turns ofRejected = common is null
            ? new Turns("messages", prompt) { Completion = rejected }
            : new Turns("rejected", rejected) { From = common };
        return new Passage(DocumentKind.Preference, Conversation(json, members, ofChosen, place, next).Text)
        {
            Rejected = Conversation(json, members, ofRejected, place, next).Text,
            IsOfTurns = true, Place = place, Next = next,
        };
    }

    /// <summary>How many turns both answers begin with: those of the prompt.</summary>
    private static int TurnsInCommon(ReadOnlySpan<byte> json, PassagePlace place)
    {
        using JsonDocument all = JsonDocument.Parse(json.ToArray());
        JsonElement[] one = [.. all.RootElement.GetProperty("chosen").EnumerateArray()];
        JsonElement[] other = [.. all.RootElement.GetProperty("rejected").EnumerateArray()];
        int count = 0;
        while (count < one.Length && count < other.Length && JsonElement.DeepEquals(one[count], other[count])) count++;
        return count > 0 && count < one.Length && count < other.Length ? count : throw new UserErrorException(
            $"{place}: chosen and rejected have {count} turns in common, of {one.Length} and {other.Length}; both must begin with the "
                + "prompt and go on with answers that differ, or the prompt be given as prompt");
    }

    private static string Text(ReadOnlySpan<byte> json, JsonValue value, string key, PassagePlace place) =>
        value.IsString ? value.Text(json)
        : throw new UserErrorException($"{place}: {key} is {value.Words}; it must be text, leave such records out");

    private static Passage Conversation(
        ReadOnlySpan<byte> json, in RecordMembers members, Turns turns, PassagePlace place, SourcePosition next)
    {
        string name = turns.Key == "conversations" ? "conversations" : "messages";
        var text = new JsonText(json);
        text.Add($"{{\"{name}\":");
        int count = AddTurns(ref text, turns.Value, turns.Key, place);
        if (turns.Completion.Exists)
        {
            // Both lists become one: what closes the first and opens the second goes.
            text.DropLast();
            var inner = new JsonText(json);
            int more = AddTurns(ref inner, turns.Completion, "completion", place);
            text.Add(count > 0 && more > 0 ? "," : "");
            text.AddWithoutFirst(inner);
            text.Add($",\"completion_from\":{count}");
        }

        if (turns.From is { } from) text.Add(FormattableString.Invariant($",\"completion_from\":{from}"));
        foreach ((string key, JsonValue value) in members.BesideTurns) AddBeside(ref text, value, key, place);
        text.Add("}");
        return new Passage(DocumentKind.Conversation, text.ToString()) { Place = place, Next = next };
    }

    private static int AddTurns(ref JsonText text, JsonValue value, string key, PassagePlace place)
    {
        int count;
        JsonTokenType kind;
        if (value.IsString)
        {
            string list = value.Text(text.Record).Trim();
            count = JsonSyntax.Check(Encoding.UTF8.GetBytes(list), Within(place, key), out kind);
            text.Add(list);
        }
        else
        {
            count = JsonSyntax.Check(value.In(text.Record), place, out kind);
            text.Add(value);
        }

        return kind == JsonTokenType.StartArray ? count : throw new UserErrorException(
            $"{place}: {key} is {new JsonValue(kind, 0, 0).Words}; it must be a list of messages");
    }

    /// <summary>What is given beside the turns; published data have it as JSON in text too, which may be empty.</summary>
    private static void AddBeside(ref JsonText text, JsonValue value, string key, PassagePlace place)
    {
        if (!value.IsGiven) return;
        string? written = value.IsString ? value.Text(text.Record).Trim() : null;
        if (written is not null)
        {
            if (written.Length == 0) return;
            JsonSyntax.Check(Encoding.UTF8.GetBytes(written), Within(place, key), out JsonTokenType kind);
            if (kind == JsonTokenType.Null) return;
        }
        else
        {
            JsonSyntax.Check(value.In(text.Record), place, out _);
        }

        text.Add($",\"{key}\":");
        if (written is not null) text.Add(written);
        else text.Add(value);
    }

    private static PassagePlace Within(PassagePlace place, string key) => place with { Path = $"{key} (text) of {place.Path}" };

    private static string Form(Passage passage, string key, in RecordMembers members, PassagePlace place)
    {
        if (passage.Kind == DocumentKind.Text) return $"texts ({key})";
        if (passage.Kind == DocumentKind.Preference) return passage.IsOfTurns
            ? "preferences, lists of messages (chosen, rejected)" : "preferences (prompt, chosen, rejected)";
        if (passage.Kind == DocumentKind.Completion) return "prompts with completions (prompt, completion)";
        if (key == "completion") return "prompts with completions, both lists of messages";
        try
        {
            return Dataflow.Text.Templates.Conversation.Parse(passage.Text).Finding;
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{place}: {e.Message}");
        }
    }

    private static string Keys(ReadOnlySpan<byte> json)
    {
        List<string> keys = [];
        Utf8JsonReader reader = JsonSyntax.Reader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            keys.Add(reader.GetString()!);
            reader.Skip();
        }

        return ShownNames.List("keys", keys);
    }

    /// <summary>Where the turns of a conversation are.</summary>
    private readonly record struct Turns(string Key, JsonValue Value)
    {
        public JsonValue Completion { get; init; }

        /// <summary>Where the answer begins among the turns.</summary>
        public int? From { get; init; }
    }
}
