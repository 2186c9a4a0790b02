using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Text.Templates;

namespace Dataflow.Corpora;

/// <summary>
/// What is trained of a conversation: the assistant's turns; where it came as a prompt and a completion, those of the completion alone.
/// </summary>
internal static class CompletionTurns
{
    /// <summary>The member of a conversation that says how many of its turns are the prompt.</summary>
    public const string From = "completion_from";

    /// <summary>The trained parts of the rendered text.</summary>
    /// <exception cref="UserErrorException">The prompt alone is rendered otherwise, so that its end cannot be told.</exception>
    public static IReadOnlyList<TextSpan> Trained(
        Passage passage, ChatTemplate template, RenderOptions options, RenderedConversation rendered)
    {
        var spans = rendered.AssistantSpans ?? [];
        if (!passage.Text.Contains(From, StringComparison.Ordinal))
        {
            return spans;
        }

        var json = JsonNode.Parse(passage.Text)!.AsObject();
        if (json[From] is not { } value || value.GetValueKind() != JsonValueKind.Number)
        {
            return spans;
        }

        var turns = json["messages"]!.AsArray();
        for (int count = turns.Count; count > value.GetValue<int>(); count--)
        {
            turns.RemoveAt(count - 1);
        }

        json["add_generation_prompt"] = true;
        string prompt = template.Render(Conversation.Parse(json.ToJsonString()), options with { FindAssistant = false }).Text;
        if (!rendered.Text.StartsWith(prompt, StringComparison.Ordinal))
        {
            throw new UserErrorException(
                "the template writes the prompt otherwise where a completion follows, so that the completion's beginning cannot be told; "
                    + "give the conversation as messages");
        }

        int begins = DocumentEncoder.CodePointCount(prompt);
        return [.. spans.Where(s => s.End > begins).Select(s => s with { Start = Math.Max(s.Start, begins) })];
    }
}
