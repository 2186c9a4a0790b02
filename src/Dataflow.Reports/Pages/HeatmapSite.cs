using System.Collections.Immutable;
using System.Text.Json;

namespace Dataflow.Reports.Pages;

/// <summary>
/// Many heatmaps as a folder of pages: one a machine and model, the style and script that these share, and an index of what is best at each
/// sequence length. Pages need no network and no server. Their texts are functions of the arguments alone.
/// </summary>
public static class HeatmapSite
{
    private const string Index = "index";
    private const string Shared = "heatmap";

    /// <summary>File names, relative to the folder, and texts; the index comes last, when all that it leads to is there.</summary>
    /// <param name="title">Of the index.</param>
    /// <param name="notes">Sentences below it: where the figures come from.</param>
    /// <param name="maps">The first of a machine, model and length is what is shown, the others are what it is compared with.</param>
    /// <exception cref="ArgumentException">There is no map, or one cannot be drawn.</exception>
    public static IEnumerable<(string File, string Text)> Of(string title, IReadOnlyList<string> notes, IReadOnlyList<Heatmap> maps)
    {
        ArgumentNullException.ThrowIfNull(maps);
        var names = new HashSet<string> { Index };
        var pages = maps.GroupBy(m => (m.Machine, m.Model))
            .Select(g =>
                (File: NameOf($"{g.Key.Machine} {g.Key.Model}", names) + ".html", Maps: g.OrderBy(m => m.Seqlen).ToImmutableArray())
            )
            .ToList();
        yield return ($"{Shared}.css", HeatmapPage.Style());
        yield return ($"{Shared}.js", HeatmapPage.Script());
        foreach (var (file, own) in pages)
        {
            yield return (file, HeatmapPage.Of($"{Index}.html", Shared, own));
        }

        yield return ($"{Index}.html", WebText.Page(
            "atlas", title, WebText.Load("page.css", "atlas.css"),
            WebText.Json(json =>
            {
                json.WriteString("title", title);
                json.WriteStartArray("notes");
                foreach (string note in notes)
                {
                    json.WriteStringValue(note);
                }

                json.WriteEndArray();
                json.WriteStartArray("pages");
                foreach (var (file, own) in pages)
                {
                    Entry(json, file, own);
                }

                json.WriteEndArray();
            }),
            WebText.Load("format.js", "atlas.js")));
    }

    /// <summary>Letters and digits of a text, in lower case, with hyphens between: part of a file's name on any system.</summary>
    public static string NameOf(string text) =>
        string.Join(
                '-',
                new string([.. text.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c == '.' ? c : ' ')]).Split(
                    ' ',
                    StringSplitOptions.RemoveEmptyEntries
                )
            )
            .Trim('.');

    /// <summary>The same, with a number where another text has that name.</summary>
    public static string NameOf(string text, ISet<string> taken)
    {
        string name = NameOf(text);
        for (int i = 1; ; i++)
        {
            string own = i == 1 ? name : $"{name}-{i}";
            if (taken.Add(own))
            {
                return own;
            }
        }
    }

    private static void Entry(Utf8JsonWriter json, string file, ImmutableArray<Heatmap> maps)
    {
        json.WriteStartObject();
        json.WriteString("file", file);
        json.WriteString("machine", maps[0].Machine);
        json.WriteString("model", maps[0].Model);
        json.WriteBoolean("prediction", maps.All(m => m.Cells.All(c => c.Source == ResultSource.Simulated)));
        json.WriteStartArray("lengths");
        foreach (var length in maps.GroupBy(m => m.Seqlen))
        {
            Length(json, [.. length]);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>What is best at a length, and how that compares with the first of the others.</summary>
    private static void Length(Utf8JsonWriter json, ImmutableArray<Heatmap> sets)
    {
        var map = sets[0];
        json.WriteStartObject();
        json.WriteNumber("seqlen", map.Seqlen);
        json.WriteString("name", map.Name);
        json.WriteNumber("cells", map.Cells.Length);
        json.WriteNumber("feasible", map.Cells.Count(c => c is { Infeasible: null, Failed: null }));
        Least(json, "least_device", map.LeastDevice);
        Least(json, "least_host", map.LeastHost);
        if (map.Best is { } best)
        {
            json.WriteNumber("tokens", best.TokensPerSecond!.Value);
            json.WriteNumber("host", best.HostGiB);
            json.WriteNumber("device", best.DeviceGiB);
            if (best.Mfu is { } mfu)
            {
                json.WriteNumber("mfu", mfu);
            }
        }

        if (sets.Length > 1)
        {
            double[] ratios = map.Ratios(sets[1]);
            var (ran, theirs) = (Ran(map), Ran(sets[1]));
            json.WriteString("against", sets[1].Name);
            json.WriteStartArray("ratios");
            foreach (double ratio in ratios)
            {
                json.WriteNumberValue(Math.Round(ratio, 4));
            }

            json.WriteEndArray();
            json.WriteNumber("gained", sets[1].Cells.Count(c => c.Infeasible is not null && ran.Contains((c.HostGiB, c.DeviceGiB))));
            json.WriteNumber("lost", map.Cells.Count(c => c.Infeasible is not null && theirs.Contains((c.HostGiB, c.DeviceGiB))));
        }

        json.WriteEndObject();
    }

    private static void Least(Utf8JsonWriter json, string name, LeastMemory least)
    {
        if (least.GiB is { } known)
        {
            json.WriteNumber(name, Math.Round(known, 3));
            json.WriteBoolean($"{name}_is_bound", least.IsBound);
        }
    }

    private static HashSet<(double Host, double Device)> Ran(Heatmap map) =>
        [.. map.Cells.Where(c => c is { Infeasible: null, Failed: null }).Select(c => (c.HostGiB, c.DeviceGiB))];
}
