using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow data render: conversations in, text and the assistant's parts out.</summary>
public class RenderTests
{
    private const string Templates = "tests/golden-text/templates";

    // What was found, and how much could not be rendered, is said beside the output.
    private static string Render(string arguments)
    {
        var outcome = Programs.Dataflow("data render " + arguments);
        Assert.True(outcome.Status == 0, outcome.Errors);
        return outcome.Output;
    }

    [Theory]
    [InlineData("ribbon")]
    [InlineData("training-mask")]
    [InlineData("channels")]
    public void Each_line_has_the_text_that_the_library_gives(string name)
    {
        string cases = $"{Templates}/{name}.jsonl";
        string[] lines = Render($"--template {Templates}/{name}.jinja --input {cases} --now 2026-01-15T09:30:05 --keep-nulls")
            .TrimEnd('\n').Split('\n');
        string[] expected = File.ReadAllLines(Path.Combine(Programs.Root, cases));
        Assert.Equal(expected.Length, lines.Length);
        foreach ((string line, string wanted) in lines.Zip(expected))
        {
            JsonElement got = JsonDocument.Parse(line).RootElement, want = JsonDocument.Parse(wanted).RootElement;
            if (want.TryGetProperty("expected", out var text))
            {
                Assert.Equal(text.GetString(), got.GetProperty("text").GetString());
            }
            else
            {
                Assert.Equal(want.GetProperty("error").GetString()!.Split(':')[0], got.GetProperty("error").GetString()!.Split(':')[0]);
            }

            if (want.TryGetProperty("assistant_mask", out var mask))
            {
                Assert.Equal(mask.GetRawText().Replace(" ", "", StringComparison.Ordinal), got.GetProperty("assistant_mask").GetRawText());
            }
        }
    }

    [Fact]
    public void A_folder_gives_its_template_and_its_tokens_and_the_form_is_said()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(
            scratch.File("tokenizer_config.json"),
            """
            {"chat_template": "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "bos_token": "<s>"}
            """);
        File.WriteAllText(scratch.File("in.jsonl"),
            """{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}""");
        var outcome = Programs.Dataflow($"data render {scratch.Path} --input {scratch.File("in.jsonl")}");
        Assert.Equal(0, outcome.Status);
        Assert.Equal("<s>user: a\nassistant: b\n", JsonDocument.Parse(outcome.Output).RootElement.GetProperty("text").GetString());
        Assert.Contains("ShareGPT", outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("data", "verb")]
    [InlineData("data render", "--template")]
    [InlineData("data render nowhere", "nowhere is no folder")]
    [InlineData("data render tests/golden", "no chat template")]
    [InlineData("data render --template none.jinja", "none.jinja does not exist")]
    [InlineData("data render nowhere --now yesterday", "no time")]
    public void What_cannot_be_done_is_said(string arguments, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    [Fact]
    public void A_template_that_cannot_be_read_is_said_for_each_line_and_at_the_end()
    {
        var outcome = Programs.Dataflow(
            $"data render --template {Templates}/hostile/syntax-and-and.jinja --input {Templates}/ribbon.jsonl");
        Assert.Equal(2, outcome.Status);
        Assert.All(outcome.Output.TrimEnd('\n').Split('\n'), l => Assert.Contains("TemplateSyntaxError", l, StringComparison.Ordinal));
        Assert.Contains("the chat template at line 1 cannot be read", outcome.Errors, StringComparison.Ordinal);
    }
}
