using System.Text.Json;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>What of a text the assistant wrote, where templates do not mark it.</summary>
public class AssistantTests
{
    private const string Ribbon =
        "{% for m in messages %}<|open|>{{ m.role }}\n{{ m.content }}<|close|>\n{% endfor %}"
        + "{% if add_generation_prompt %}<|open|>assistant\n{% endif %}";

    private static string Parts(string template, string messages, bool prompt = false)
    {
        string line = $$"""{"messages": {{messages}}, "add_generation_prompt": {{(prompt ? "true" : "false")}}}""";
        RenderedConversation rendered = ChatTemplate.Parse(template)
            .Render(Conversation.Parse(line), new RenderOptions { FindAssistant = true });
        Assert.Null(rendered.AssistantFault);
        int[] starts = [.. rendered.Text.EnumerateRunes().Select(r => r.Utf16SequenceLength).Prepend(0)];
        for (int i = 1; i < starts.Length; i++) starts[i] += starts[i - 1];
        return string.Join('|', rendered.AssistantSpans!.Select(s => rendered.Text[starts[s.Start]..starts[s.End]]));
    }

    private static string Talk(params string[] contents) => JsonSerializer.Serialize(
        contents.Select((c, i) => new { role = i % 2 == 0 ? "user" : "assistant", content = c }));

    [Fact]
    public void A_turn_lies_between_the_prompt_for_it_and_the_turns_up_to_it() =>
        Assert.Equal("B😀<|close|>\n|D<|close|>\n", Parts(Ribbon, Talk("A😀", "B😀", "C", "D", "E")));

    [Fact]
    public void What_the_prompt_for_the_next_turn_adds_is_not_the_assistants() =>
        Assert.Equal("B<|close|>\n", Parts(Ribbon, Talk("A", "B"), prompt: true));

    [Fact]
    public void A_content_that_begins_as_the_prompt_might_go_on_is_whole()
    {
        // The prompt opens thoughts, which turns have only where they are the last: a content that begins like them is still all the
        // assistant's.
        const string template = """
            {%- for m in messages %}{{ m.role }}:{{ '<think></think>' if m.role == 'assistant' and loop.last }}{{ m.content }};{% endfor %}
            {%- if add_generation_prompt %}assistant:<think>{% endif %}
            """;
        Assert.Equal("<thin ice;|</think>end;", Parts(template, Talk("A", "<thin ice", "C", "end")));
    }

    [Fact]
    public void Spaces_that_the_prompt_lacks_are_the_assistants() => Assert.Equal(
        " B\n| D\n",
        Parts("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
            Talk("A", "B", "C", "D")));

    [Fact]
    public void A_last_turn_that_is_closed_otherwise_is_found_with_the_others()
    {
        const string template = """
            {%- for m in messages %}<{{ m.role }}>{{ m.content }}
            {{- '<return>' if loop.last and m.role == 'assistant' and not add_generation_prompt else '<done>' }}{% endfor %}
            {%- if add_generation_prompt %}<assistant>{% endif %}
            """;
        Assert.Equal("B<done>|D<return>", Parts(template, Talk("A", "B", "C", "D")));
    }

    [Fact]
    public void Without_its_marks_a_template_gives_turns_that_begin_where_the_marks_were()
    {
        string marked = Golden.Template("training-mask");
        string unmarked = marked.Replace("{%- generation %}", "{#- here #}", StringComparison.Ordinal)
            .Replace("{%- endgeneration %}", "{#- to here #}", StringComparison.Ordinal);
        int compared = 0;
        foreach (JsonElement row in Golden.Lines("training-mask.jsonl").Where(r => r.TryGetProperty("assistant_mask", out _)))
        {
            // A turn that is marked as none to train on is the assistant's all the same.
            if (row.GetRawText().Contains("\"train\"", StringComparison.Ordinal)) continue;
            RenderedConversation with = Render(marked), without = Render(unmarked);
            Assert.Equal(with.Text, without.Text);
            Assert.Equal(with.AssistantSpans!.Select(s => s.Start), without.AssistantSpans!.Select(s => s.Start));
            compared += with.AssistantSpans!.Count;

            RenderedConversation Render(string template) =>
                ChatTemplate.Parse(template).Render(Conversation.Parse(row.GetRawText()), new RenderOptions { FindAssistant = true });
        }
        Assert.True(compared > 10);
    }

    [Fact]
    public void Where_it_cannot_be_told_that_is_said_and_the_text_is_there()
    {
        const string template =
            "{% for m in messages | reverse %}{{ m.content | length }}{% endfor %}{% if add_generation_prompt %}?{% endif %}";
        RenderedConversation rendered = ChatTemplate.Parse(template).Render(
            Conversation.Parse($$"""{"messages": {{Talk("A", "BB", "CCC")}}}"""), new RenderOptions { FindAssistant = true });
        Assert.Equal("321", rendered.Text);
        Assert.Null(rendered.AssistantSpans);
        Assert.Contains("{% generation %}", rendered.AssistantFault!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Marks_within_macros_are_found_by_renderings()
    {
        const string template = """
            {%- macro say(m) %}{% generation %}{{ m.content }};{% endgeneration %}{% endmacro %}
            {%- for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}{{ say(m) }}{% else %}{{ m.content }};{% endif %}{% endfor %}
            {%- if add_generation_prompt %}assistant:{% endif %}
            """;
        Assert.Equal("B;", Parts(template, Talk("A", "B", "C")));
    }
}
