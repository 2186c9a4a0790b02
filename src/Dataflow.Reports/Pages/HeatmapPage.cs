using System.Collections.Immutable;
using System.Text;
using System.Text.Json;

namespace Dataflow.Reports.Pages;

/// <summary>What a heatmap shows.</summary>
public enum HeatmapMetric
{
    Tokens,
    Teraflops,
    Mfu,
    Hfu,
}

/// <summary>
/// A heatmap as one page of HTML with nothing to fetch: the figures to choose from, hover for the plan's summary, click for the plan and its
/// timeline, and the difference from other results of the same machine, model and sequence length. Its text is a function of its arguments alone.
/// </summary>
public static class HeatmapPage
{
    /// <summary>The page.</summary>
    /// <param name="others">What the map can be compared with; cells are matched by their budgets.</param>
    /// <exception cref="ArgumentException">A map cannot be drawn, or they are not about the same.</exception>
    public static string Of(Heatmap map, params ImmutableArray<Heatmap> others) => WebText.Page(
        WebText.Load("heatmap.html"), TitleOf(map), WebText.Load("page.css", "heatmap.css"), Data(null, [map, .. others]),
        WebText.Load("charts.js", "format.js", "heatmap-options.js", "heatmap.js"));

    /// <summary>A program for node that prints the figure as SVG.</summary>
    /// <param name="against">Draws the difference from it, if given.</param>
    /// <exception cref="ArgumentException">A map cannot be drawn, or they are not about the same.</exception>
    internal static string Program(Heatmap map, HeatmapMetric metric, Heatmap? against) =>
        WebText.Load("charts.js", "format.js", "heatmap-options.js", "still.js")
        + $"process.stdout.write(drawStill({Data(metric, against is null ? [map] : [map, against])}));\n";

    private static string TitleOf(Heatmap map) => $"{map.Model} on {map.Machine}, sequences of {map.Seqlen} tokens";

    private static string Data(HeatmapMetric? metric, ImmutableArray<Heatmap> sets)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            if (metric is { } shown)
            {
                json.WriteString("metric", shown.ToString().ToLowerInvariant());
            }

            json.WriteStartArray("sets");
            foreach (var set in sets)
            {
                set.Check();
                if ((set.Model, set.Seqlen) != (sets[0].Model, sets[0].Seqlen))
                {
                    throw new ArgumentException($"{set.Name} is about {TitleOf(set)}, and {sets[0].Name} about {TitleOf(sets[0])}: compare results of one model and sequence length");
                }

                Set(json, set);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.GetBuffer().AsSpan(0, (int)text.Length));
    }

    private static void Set(Utf8JsonWriter json, Heatmap set)
    {
        json.WriteStartObject();
        json.WriteString("name", set.Name);
        json.WriteString("machine", set.Machine);
        json.WriteString("model", set.Model);
        json.WriteNumber("seqlen", set.Seqlen);
        json.WriteStartArray("cells");
        foreach (var cell in set.Cells)
        {
            json.WriteStartObject();
            json.WriteNumber("host", cell.HostGiB);
            json.WriteNumber("device", cell.DeviceGiB);
            json.WriteString("source", cell.Source.ToString().ToLowerInvariant());
            Figure(json, "tokens", cell.TokensPerSecond);
            Figure(json, "teraflops", cell.TeraflopsPerSecond);
            Figure(json, "mfu", cell.Mfu);
            Figure(json, "hfu", cell.Hfu);
            Words(json, "infeasible", cell.Infeasible);
            Words(json, "plan", cell.Plan);
            Words(json, "page", cell.Timeline);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Figure(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } known)
        {
            json.WriteNumber(name, known);
        }
    }

    private static void Words(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }
}
