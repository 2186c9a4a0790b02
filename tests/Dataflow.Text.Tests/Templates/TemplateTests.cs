using System.Text.Json;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>Whole templates with whole conversations.</summary>
public class TemplateTests
{
    public static TheoryData<string> Names =>
        [.. Directory.EnumerateFiles(Golden.Folder, "*.jinja").Select(f => Path.GetFileNameWithoutExtension(f))
            .Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_template_gives_what_the_library_gives(string name)
    {
        ChatTemplate template = ChatTemplate.Parse(Golden.Template(name));
        List<string> differences = [];
        foreach (JsonElement row in Golden.Lines(name + ".jsonl"))
        {
            Compare(row, row, keepNulls: true);
            if (row.TryGetProperty("when_nulls_are_dropped", out JsonElement other))
                Compare(row, other.ValueKind == JsonValueKind.Object ? other : row, keepNulls: false);
        }
        Assert.True(differences.Count == 0, string.Join("\n\n", differences));

        void Compare(JsonElement row, JsonElement expected, bool keepNulls)
        {
            RenderedConversation? rendered = null;
            bool masked = row.TryGetProperty("assistant_mask", out JsonElement mask);
            string outcome = Golden.Outcome(() =>
            {
                RenderOptions options = new() { Now = Golden.Now, KeepNulls = keepNulls, FindAssistant = masked };
                rendered = template.Render(Conversation.Parse(row.GetRawText()), options);
                return rendered.Text;
            });
            if (Golden.Difference(expected, outcome) is { } difference) differences.Add($"{row.GetProperty("name")}: {difference}");
            if (masked && rendered is not null && expected.TryGetProperty("assistant_mask", out mask))
            {
                string spans = string.Join(' ', rendered.AssistantSpans!.Select(s => $"[{s.Start}, {s.End}]"));
                string wanted = string.Join(' ', mask.EnumerateArray().Select(s => $"[{s[0]}, {s[1]}]"));
                if (spans != wanted) differences.Add($"{row.GetProperty("name")}: expected {wanted}\n got {spans}");
            }
        }
    }
}
