using System.Text.Json;
using Dataflow.Model;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates;

/// <summary>The turns of a conversation as the template gets them.</summary>
internal static class Turns
{
    /// <summary>ShareGPT's speakers as roles.</summary>
    private static readonly Dictionary<string, string> Roles = new()
    {
        ["human"] = "user", ["user"] = "user", ["gpt"] = "assistant", ["assistant"] = "assistant", ["model"] = "assistant",
        ["chatgpt"] = "assistant", ["bing"] = "assistant", ["bard"] = "assistant", ["system"] = "system", ["tool"] = "tool",
        ["observation"] = "tool", ["function_response"] = "tool",
    };

    // The library fills the first two from whichever of the three is there, since templates know one name or the other.
    private static readonly string[] ReasoningNames = ["reasoning_content", "thinking", "reasoning"];

    public static List<DictValue> Of(Conversation conversation, bool keepNulls)
    {
        List<DictValue> turns = [];
        foreach (JsonElement element in conversation.Messages.EnumerateArray())
        {
            DictValue turn = (DictValue)JsonValues.Of(element)!;
            if (conversation.Form == ConversationForm.ShareGpt) turn = FromShareGpt(turn, turns.Count + 1);
            if (!keepNulls) turn = WithoutNulls(turn);
            CopyReasoning(turn);
            turns.Add(turn);
        }
        return turns;
    }

    private static DictValue FromShareGpt(DictValue turn, int number)
    {
        turn.TryGetValue("from", out object? from);
        if (from is not string speaker || !Roles.TryGetValue(speaker, out string? role))
            throw new UserErrorException(
                $"turn {number} of conversations is from {Representation.Repr(from)}; known are {string.Join(", ", Roles.Keys)}");
        if (!turn.TryGetValue("value", out object? value))
            throw new UserErrorException($"turn {number} of conversations has from and no value; value is what was said");
        DictValue message = new() { ["role"] = role, ["content"] = value };
        foreach ((object? key, object? other) in turn.Pairs)
            if (key is not ("from" or "value")) message[key] = other;
        return message;
    }

    private static DictValue WithoutNulls(DictValue turn)
    {
        if (turn.Pairs.All(p => p.Value is not null)) return turn;
        DictValue kept = new();
        foreach ((object? key, object? value) in turn.Pairs)
            if (value is not null) kept[key] = value;
        return kept;
    }

    private static void CopyReasoning(DictValue turn)
    {
        object? reasoning = null;
        foreach (string name in ReasoningNames)
            if (reasoning is null && turn.TryGetValue(name, out object? value)) reasoning = value;
        if (reasoning is null) return;
        foreach (string name in ReasoningNames[..2])
            if (!turn.TryGetValue(name, out object? value) || value is null) turn[name] = reasoning;
    }
}
