using System.Text.Json;
using Dataflow.Text.Templates;

namespace Dataflow.Text.Tests.Templates;

/// <summary>The language, piece by piece.</summary>
public class SnippetTests
{
    private static readonly IReadOnlyList<JsonElement> Rows = Golden.Lines("micro.jsonl");

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Rows.Count)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_snippet_gives_what_Jinja_gives(int number)
    {
        JsonElement row = Rows[number];
        string template = row.GetProperty("template").GetString()!;
        string? difference = Golden.Difference(row, Golden.Outcome(() => Snippet.Render(template, row.GetProperty("context"))));
        Assert.True(difference is null, $"{template}\n{difference}");
    }
}
