using System.Collections.Immutable;
using System.Text;
using System.Text.Json;

namespace Dataflow.Reports.Pages;

/// <summary>
/// Heatmaps of a model on a machine as one page of HTML with nothing to fetch: the sequence length, the results and the figure to choose
/// from, hover for the plan's summary, click for the plan and its timeline, and differences between results of the same length. Its text is
/// a function of its arguments alone.
/// </summary>
public static class HeatmapPage
{
    private static readonly string[] s_drawing = ["charts.js", "format.js", "heatmap-options.js"];

    /// <summary>The page.</summary>
    /// <param name="maps">Of one model. The first of a length is what is shown, and the others of that length what it can be compared with:
    /// cells are matched by their budgets.</param>
    /// <exception cref="ArgumentException">There is no map, one cannot be drawn, or they are not about the same.</exception>
    public static string Of(params ImmutableArray<Heatmap> maps) =>
        WebText.Page("heatmap", TitleOf(maps), Style(), Data(null, maps), Script());

    /// <summary>The page as one of a folder, with a way back.</summary>
    /// <param name="index">The page that leads to this one, as a link relative to it.</param>
    /// <param name="shared">Where the folder has <see cref="Style"/> and <see cref="Script"/>: the name of both files without its
    /// end.</param>
    /// <param name="maps">As above.</param>
    /// <exception cref="ArgumentException">As above.</exception>
    internal static string Of(string index, string shared, ImmutableArray<Heatmap> maps) =>
        WebText.PageBeside(shared, "heatmap", TitleOf(maps), Data(index, maps));

    /// <summary>What all pages look like.</summary>
    internal static string Style() => WebText.Load("page.css", "heatmap.css");

    /// <summary>What draws the data of a page; the charts' library is nearly all of it.</summary>
    internal static string Script() => WebText.Load([.. s_drawing, "heatmap.js"]);

    private static string TitleOf(ImmutableArray<Heatmap> maps)
    {
        if (maps.IsDefaultOrEmpty || maps.FirstOrDefault(m => m.Model != maps[0].Model) is not null)
        {
            throw new ArgumentException("a page has maps of one model, and at least one");
        }

        return $"{maps[0].Model} on {maps[0].Machine}";
    }

    private static string Data(string? index, ImmutableArray<Heatmap> maps) =>
        WebText.Json(json =>
        {
            Words(json, "index", index);
            json.WriteStartArray("lengths");
            foreach (var length in maps.GroupBy(m => m.Seqlen))
            {
                json.WriteStartObject();
                Sets(json, [.. length]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });

    /// <summary>
    /// A program for node that prints figures: an array of objects with a name for a file and SVG. Of a machine, model and length there is
    /// one figure for each of its maps, and one for the difference of the first from each of the others; a figure has all metrics that are
    /// known.
    /// </summary>
    /// <exception cref="ArgumentException">A map cannot be drawn.</exception>
    internal static string Program(IReadOnlyList<Heatmap> maps) =>
        WebText.Load([.. s_drawing, "still.js"])
        + "process.stdout.write(JSON.stringify(heatmapStills("
        + WebText.Json(json =>
        {
            json.WriteStartArray("figures");
            var taken = new HashSet<string>();
            foreach (var work in maps.GroupBy(m => (m.Machine, m.Model, m.Seqlen)))
            {
                var (first, name) = (work.First(), $"{work.Key.Machine} {work.Key.Model} {work.Key.Seqlen}");
                Figure(json, HeatmapSite.NameOf(name, taken), first);
                foreach (var other in work.Skip(1))
                {
                    Figure(json, HeatmapSite.NameOf($"{name} {other.Name}", taken), other);
                    Figure(json, HeatmapSite.NameOf($"{name} against {other.Name}", taken), first, other);
                }
            }

            json.WriteEndArray();
        })
        + ")));\n";

    private static void Figure(Utf8JsonWriter json, string name, params ImmutableArray<Heatmap> sets)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        Sets(json, sets);
        json.WriteEndObject();
    }

    private static string WorkOf(Heatmap map) => $"{map.Model} on {map.Machine}, sequences of {map.Seqlen:N0} tokens";

    /// <summary>What may be compared: of one model and length, each under a name of its own.</summary>
    private static void Sets(Utf8JsonWriter json, ImmutableArray<Heatmap> sets)
    {
        json.WriteStartArray("sets");
        var names = new HashSet<string>();
        foreach (var set in sets)
        {
            set.Check();
            if ((set.Model, set.Seqlen) != (sets[0].Model, sets[0].Seqlen))
            {
                throw new ArgumentException(
                    $"{set.Name} is about {WorkOf(set)}, and {sets[0].Name} about {WorkOf(sets[0])}: compare results of one model and "
                        + $"sequence length"
                );
            }

            if (!names.Add(set.Name))
            {
                throw new ArgumentException($"there are two maps '{set.Name}' of {WorkOf(set)}; give them names of their own");
            }

            Set(json, set);
        }

        json.WriteEndArray();
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
            Number(json, "tokens", cell.TokensPerSecond);
            Number(json, "teraflops", cell.TeraflopsPerSecond);
            Number(json, "mfu", cell.Mfu);
            Number(json, "hfu", cell.Hfu);
            Words(json, "infeasible", cell.Infeasible);
            Words(json, "failed", cell.Failed);
            Words(json, "plan", cell.Plan);
            Words(json, "page", cell.Timeline);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Number(Utf8JsonWriter json, string name, double? value)
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
