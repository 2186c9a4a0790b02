using System.Globalization;
using System.Text.Json.Nodes;

namespace Dataflow.Reports;

/// <summary>A column of a report's table.</summary>
/// <param name="Name">In CSV and JSON.</param>
/// <param name="Title">For people, with its unit.</param>
/// <param name="Format">Of numbers for people; CSV and JSON have all digits.</param>
public sealed record ReportColumn(string Name, string Title, string Format = "#,0");

/// <summary>A table of a report: the same figures as Markdown, CSV and JSON.</summary>
/// <param name="Name">Of its file.</param>
/// <param name="Title">Heads it in a report.</param>
/// <param name="Note">What is to be known of its figures.</param>
/// <param name="Empty">Why there is no row, where there is none.</param>
/// <param name="Columns">Of each row.</param>
/// <param name="Rows">Texts, numbers and nulls, a value a column.</param>
public sealed record ReportTable(
    string Name,
    string Title,
    string Note,
    string Empty,
    IReadOnlyList<ReportColumn> Columns,
    IReadOnlyList<object?[]> Rows
)
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>A section.</summary>
    public string Markdown()
    {
        var text = new StringWriter(Invariant) { NewLine = "\n" };
        text.WriteLine($"## {Title}\n");
        text.WriteLine(Note);
        text.WriteLine();
        if (Rows.Count == 0)
        {
            text.WriteLine(Empty);
            return text.ToString();
        }

        text.WriteLine(MarkdownText.Row(Columns.Select(c => c.Title)));
        text.WriteLine($"|{string.Concat(Columns.Select((_, c) => IsText(c) ? "---|" : "---:|"))}");
        foreach (var row in Rows)
        {
            text.WriteLine(MarkdownText.Row(Shown(row)));
        }

        return text.ToString();
    }

    /// <summary>Whether a column holds no number.</summary>
    public bool IsText(int column) => Rows.All(r => r[column] is string or null);

    /// <summary>A row for people.</summary>
    public IEnumerable<string> Shown(object?[] row) => row.Select((value, c) => Shown(value, Columns[c].Format));

    /// <summary>The rows with a head.</summary>
    public string Csv() =>
        string.Concat(Rows.Select(r => ResultWriter.Line(r.Select(Plain))).Prepend(ResultWriter.Line(Columns.Select(c => c.Name))));

    /// <summary>An object.</summary>
    public JsonObject Json() =>
        new()
        {
            ["title"] = Title,
            ["note"] = Note,
            ["rows"] = new JsonArray([
                .. Rows.Select(r => new JsonObject(Columns.Select((c, i) => KeyValuePair.Create(c.Name, (JsonNode?)Node(r[i]))))),
            ]),
        };

    private static string Shown(object? value, string format) => value switch
    {
        null => "",
        IFormattable number => number.ToString(format, Invariant),
        var text => text.ToString()!.ReplaceLineEndings(" "),
    };

    private static string Plain(object? value) => value switch
    {
        null => "",
        double number => number.ToString("R", Invariant),
        IFormattable number => number.ToString(null, Invariant),
        var text => SpreadsheetText.Escape(text.ToString()!.ReplaceLineEndings(" ")),
    };

    private static JsonValue? Node(object? value) => value switch
    {
        null => null,
        double number => JsonValue.Create(number),
        long number => JsonValue.Create(number),
        int number => JsonValue.Create(number),
        var text => JsonValue.Create(text.ToString()),
    };
}
