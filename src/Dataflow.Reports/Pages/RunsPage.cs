using System.Text.Json;

namespace Dataflow.Reports.Pages;

/// <summary>
/// Training runs as one page of HTML with nothing to fetch: loss, rate, norms, speed against its prediction, memory and more over steps,
/// several runs over each other. Its text is a function of its arguments alone. Served by <c>RunServer</c>, it takes lines as they come.
/// </summary>
public static class RunsPage
{
    /// <summary>The page.</summary>
    /// <param name="title">Heads it.</param>
    /// <param name="made">What its figures are of, in a sentence.</param>
    /// <param name="runs">In the order of their colours.</param>
    public static string Of(string title, string made, IReadOnlyList<RunLines> runs) => Page(title, json =>
    {
        json.WriteString("title", title);
        json.WriteString("made", made);
        json.WriteBoolean("live", false);
        json.WriteStartArray("runs");
        foreach (var run in runs)
        {
            WriteTo(json, run);
        }

        json.WriteEndArray();
    });

    /// <summary>The page that a server gives out: it has no figures and asks for them.</summary>
    public static string Live(string title) => Page(title, json =>
    {
        json.WriteString("title", title);
        json.WriteBoolean("live", true);
        json.WriteStartArray("runs");
        json.WriteEndArray();
    });

    /// <summary>A run as the page takes it.</summary>
    internal static void WriteTo(Utf8JsonWriter json, RunLines run)
    {
        json.WriteStartObject();
        json.WriteString("name", run.Name);
        json.WriteStartObject("settings");
        foreach (var (name, text) in run.Settings)
        {
            json.WriteString(name, text);
        }

        json.WriteEndObject();
        json.WriteStartArray("lines");
        foreach (string line in run.Lines)
        {
            json.WriteRawValue(line, skipInputValidation: true);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Page(string title, Action<Utf8JsonWriter> members) => WebText.Page(
        "runs",
        title,
        WebText.Load("page.css", "runs.css"),
        WebText.Packed(members),
        WebText.Load("charts.js", "format.js", "unpack.js", "heatmap-options.js", "report-axes.js", "runs-data.js", "runs.js"),
        module: true
    );
}
