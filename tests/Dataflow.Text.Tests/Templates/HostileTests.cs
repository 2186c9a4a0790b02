using System.Diagnostics;
using System.Text.Json;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>Templates that ask for what they must not have: each ends in a fault, or in little time and memory.</summary>
public class HostileTests
{
    private static readonly IReadOnlyList<JsonElement> Rows = Golden.Lines("hostile/expected.jsonl");

    public static TheoryData<string> Names => [.. Rows.Select(r => r.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_hostile_template_ends_as_it_must(string name)
    {
        JsonElement row = Rows.Single(r => r.GetProperty("name").GetString() == name);
        string template = Golden.Template("hostile/" + name);
        string required = row.GetProperty("required").GetString()!;
        long before = GC.GetTotalAllocatedBytes();
        string outcome = Golden.Outcome(() => ChatTemplate.Parse(template)
            .Render(Conversation.Parse("""{"messages": [{"role": "user", "content": "Hi"}]}""")).Text);
        Assert.True(GC.GetTotalAllocatedBytes() - before < 8L << 30, "memory");
        JsonElement jinja = row.GetProperty("jinja");
        if (outcome.StartsWith("error ", StringComparison.Ordinal))
        {
            Assert.StartsWith("error", required, StringComparison.Ordinal);
            if (jinja.TryGetProperty("lineno", out JsonElement line)) Assert.EndsWith($"(line {line})", outcome, StringComparison.Ordinal);
            return;
        }
        string text = outcome["text ".Length..];
        Assert.True(required.Contains(" or ", StringComparison.Ordinal) || required == "expected", $"{required}: {outcome}");
        switch (required)
        {
            case "error or nothing": Assert.True(text is "" or "[Undefined]", text); break;
            case "error or the number of digits": Assert.Equal("30103", text); break;
            case "error or 10001 characters": Assert.Equal(10001, text.Length); break;
            default:
                if (jinja.TryGetProperty("expected", out JsonElement expected)) Assert.Equal(expected.GetString(), text);
                else if (jinja.TryGetProperty("characters", out JsonElement characters)) Assert.Equal(characters.GetInt32(), text.Length);
                else Assert.Equal(required.Split(' ')[^1], text);
                break;
        }
    }

    [Theory]
    [InlineData("{{ ", "[", " }}")]
    [InlineData("{{ ", "(", " }}")]
    [InlineData("{{ ", "{1: ", " }}")]
    [InlineData("{{ a", "[0]", " }}")]
    [InlineData("{{ a", "|d", " }}")]
    [InlineData("{{ ", "not ", "a }}")]
    [InlineData("{{ ", "- ", "1 }}")]
    [InlineData("{{ ", "1 if ", "1 }}")]
    [InlineData("{{ ", "f(", " }}")]
    [InlineData("{{ 1", " is in [1", " }}")]
    [InlineData("", "{% if a %}", "")]
    [InlineData("", "{% for a in b %}", "")]
    [InlineData("", "{% set a %}", "")]
    [InlineData("", "{% call f() %}", "")]
    [InlineData("", "{{ '", "")]
    [InlineData("", "{#", "")]
    [InlineData("", "{% raw %}", "")]
    [InlineData("{{ 1", "+1", " }}")]
    [InlineData("{{ 1", "~1", " }}")]
    [InlineData("{{ 1", " and 1", " }}")]
    [InlineData("{{ 1", " < 1", " }}")]
    public void A_million_of_anything_ends_in_a_sentence_or_a_text(string before, string repeated, string after)
    {
        string template = before + string.Concat(Enumerable.Repeat(repeated, 1_000_000)) + after;
        var clock = Stopwatch.StartNew();
        string outcome = Golden.Outcome(() => Snippet.Render(template));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{clock.Elapsed}: {outcome[..Math.Min(200, outcome.Length)]}");
    }
}
