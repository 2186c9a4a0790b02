using System.Text.Json;

namespace Dataflow.Reports.Pages;

/// <summary>
/// A report as one page of HTML with nothing to fetch: peaks, projections, costs and utilization as charts, and each table of the report
/// below what is drawn from it. Its text is a function of its argument alone.
/// </summary>
public static class ReportPage
{
    private static readonly string[] s_drawing =
    [
        "charts.js",
        "format.js",
        "heatmap-options.js",
        "report-data.js",
        "report-axes.js",
        "report-utilization.js",
        "report-options.js",
    ];

    /// <summary>The page.</summary>
    public static string Of(Report report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return WebText.Page(
            "report",
            $"Report on {string.Join(", ", report.Files.Select(f => Path.GetFileName(f.Path)))}",
            WebText.Load("page.css", "report.css"),
            Data(report),
            WebText.Load([.. s_drawing, "report.js"])
        );
    }

    /// <summary>A program for node that prints all figures of the report: an array of objects with a name for a file and SVG.</summary>
    internal static string Program(Report report) =>
        WebText.Load([.. s_drawing, "still.js"]) + $"process.stdout.write(JSON.stringify(reportStills({Data(report)})));\n";

    private static string Data(Report report) => WebText.Json(json =>
    {
        json.WriteStartArray("files");
        foreach (var file in report.Files)
        {
            File(json, file);
        }

        json.WriteEndArray();
        json.WriteStartObject("tables");
        foreach (var table in report.Tables)
        {
            Table(json, table);
        }

        json.WriteEndObject();
    });

    private static void File(Utf8JsonWriter json, ResultFile file)
    {
        json.WriteStartObject();
        json.WriteString("name", Path.GetFileName(file.Path));
        json.WriteString("source", Report.SourceOf(file));
        json.WriteNumber("rows", file.Rows.Count);
        json.WriteNumber("didNotRun", file.Rows.Count(r => !r.Feasible));
        json.WriteStartArray("superseded");
        foreach (var row in file.Superseded)
        {
            json.WriteNumberValue(row.Line);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Values for charts, and the same as the report shows them: a browser would round otherwise.</summary>
    private static void Table(Utf8JsonWriter json, ReportTable table)
    {
        json.WriteStartObject(table.Name);
        json.WriteString("title", table.Title);
        json.WriteString("note", table.Note);
        json.WriteString("empty", table.Empty);
        json.WriteStartArray("columns");
        for (int c = 0; c < table.Columns.Count; c++)
        {
            json.WriteStartObject();
            json.WriteString("name", table.Columns[c].Name);
            json.WriteString("title", table.Columns[c].Title);
            json.WriteBoolean("text", table.IsText(c));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("rows");
        foreach (var row in table.Rows)
        {
            json.WriteStartArray();
            foreach (var value in row)
            {
                Value(json, value);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteStartArray("shown");
        foreach (var row in table.Rows)
        {
            json.WriteStartArray();
            foreach (string shown in table.Shown(row))
            {
                json.WriteStringValue(shown);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Value(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case double number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            default:
                json.WriteStringValue(value.ToString());
                break;
        }
    }
}
