using Dataflow.Text.Templates.Builtins;
using Dataflow.Text.Templates.Values;

namespace Dataflow.Text.Templates;

/// <summary>
/// A last turn that is to be gone on with: its content is rendered with a tag after it, and the text ends at the tag. The tag ends with a
/// space: where the template strips the content, the space is gone, and so the spaces before it are no part of the text either.
/// </summary>
internal sealed class ContinuedTurn
{
    private const string Tag = "CONTINUE_FINAL_MESSAGE_TAG ";

    private readonly string content;

    private ContinuedTurn(string content) => this.content = content;

    /// <summary>Tags the last turn of the list, which is replaced.</summary>
    public static ContinuedTurn Mark(List<DictValue> turns, string template)
    {
        if (turns.Count == 0) throw new TemplateException(TemplateErrorKind.Index,
            "list index out of range: there is no final message to continue");
        DictValue last = turns[^1].Copy();
        turns[^1] = last;
        if (!last.TryGetValue("content", out object? value) || value is null)
            throw Errors.Value("continue_final_message is set but the final message has no \"content\" to continue!");
        if (!template.Contains("content", StringComparison.Ordinal))
            throw Errors.Value("continue_final_message is set to \"content\" but this is not an accepted field in the chat_template");
        if (value is string text)
        {
            last["content"] = text + Tag;
            return new ContinuedTurn(text);
        }
        if (value is not ListValue parts) throw Errors.Type($"unsupported operand type(s) for +: '{TypeNames.Of(value)}' and 'str'");
        List<object?> copy = [.. parts.Items];
        for (int i = copy.Count - 1; i >= 0; i--)
        {
            if (copy[i] is not DictValue part || !part.TryGetValue("text", out object? inner)) continue;
            if (inner is not string innerText) throw Errors.Type($"unsupported operand type(s) for +: '{TypeNames.Of(inner)}' and 'str'");
            DictValue tagged = part.Copy();
            tagged["text"] = innerText + Tag;
            copy[i] = tagged;
            last["content"] = new ListValue(copy);
            return new ContinuedTurn(innerText);
        }
        throw Errors.Value("continue_final_message is set but we could not find any text to continue in the final message!");
    }

    public string Cut(string rendered)
    {
        string tag = Tag.TrimEnd();
        string stripped = StringSplitting.Strip(content, null, true, true);
        int at = rendered.LastIndexOf(tag, StringComparison.Ordinal);
        if (at < 0 || !rendered.Contains(stripped, StringComparison.Ordinal))
            throw Errors.Value("continue_final_message is set but the final message does not appear in the chat after applying the chat "
                + "template! This can happen if the chat template deletes portions of the final message.");
        return string.CompareOrdinal(rendered, at, Tag, 0, Tag.Length) == 0
            ? rendered[..at]
            : StringSplitting.Strip(rendered[..at], null, false, true);
    }
}
