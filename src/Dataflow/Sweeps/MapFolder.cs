using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Heatmaps of result files as a folder of pages.</summary>
public static class MapFolder
{
    private const int MostListed = 6;
    private const string IndexName = "index.html";

    /// <summary>Writes the pages; the index is the last.</summary>
    /// <param name="folder">Where they are written; it is made if it is not there.</param>
    /// <param name="title">Heads the index.</param>
    /// <param name="files">Result files whose rows are mapped.</param>
    /// <param name="against">What cells are held against; of what the first files do not have nothing is shown.</param>
    /// <param name="note">A sentence of the user's for the index.</param>
    /// <returns>The index, the maps, and how many rows of the first files have no place on one.</returns>
    /// <exception cref="UserErrorException">No row has a place on a map, or the folder cannot be written.</exception>
    public static (string Index, IReadOnlyList<Heatmap> Maps, int LeftOut) Write(
        string folder,
        string title,
        IReadOnlyList<ResultFile> files,
        IReadOnlyList<ResultFile> against,
        string? note = null
    )
    {
        Make(folder, IndexName);
        var maps = ResultMaps.Of(files.SelectMany(f => f.Rows), row => LinkTo(SweepTimelines.FileOf(row), folder)).ToList();
        if (maps.Count == 0)
        {
            throw new UserErrorException(
                $"{string.Join(", ", files.Select(f => f.Path))}: no row has machine, model, seq_len, host_mem_gb, dev_mem_gb and a "
                    + $"speed, and a map needs all of them"
            );
        }

        var shown = maps.Select(WorkOf).ToHashSet();
        maps.AddRange(ResultMaps.Of(against.SelectMany(f => f.Rows), _ => null).Where(m => shown.Contains(WorkOf(m))));
        maps = Named(maps);
        AtomicFile.WriteTexts(
            folder,
            HeatmapSite.Of(title, [.. Notes([.. files, .. against]), .. note is null ? Array.Empty<string>() : [note]], maps)
        );
        return (Path.Combine(folder, IndexName), maps, files.Sum(f => f.Rows.Count(r => !ResultMaps.HasPlace(r))));
    }

    /// <summary>Makes a folder.</summary>
    /// <param name="folder">Its path.</param>
    /// <param name="first">A file that will be written there; null: not known yet.</param>
    /// <exception cref="UserErrorException">It cannot be made, or the file not be written.</exception>
    public static void Make(string folder, string? first = null)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserErrorException($"{folder} cannot be made: {e.Message}");
        }

        if (first is not null)
        {
            AtomicFile.Probe(Path.Combine(folder, first));
        }
    }

    private static (string Machine, string Model, int Seqlen) WorkOf(Heatmap map) => (map.Machine, map.Model, map.Seqlen);

    /// <summary>What is held against others may have the name of one of them: each but the first gets a number.</summary>
    private static List<Heatmap> Named(List<Heatmap> maps) =>
        [
            .. maps.Select((m, at) => (Map: m, At: at))
                .GroupBy(m => (WorkOf(m.Map), m.Map.Name))
                .SelectMany(g => g.Select((m, i) => i == 0 ? m : m with { Map = m.Map with { Name = $"{m.Map.Name} ({i + 1})" } }))
                .OrderBy(m => m.At)
                .Select(m => m.Map),
        ];

    private static string? LinkTo(string? timeline, string folder) =>
        timeline is null || !File.Exists(timeline)
            ? null
            : string.Join(
                '/',
                Path.GetRelativePath(folder, timeline)
                    .Split(Path.DirectorySeparatorChar)
                    .Select(part => part == ".." ? part : Uri.EscapeDataString(part))
            );

    /// <summary>Where figures come from, a sentence a kind.</summary>
    private static List<string> Notes(IReadOnlyList<ResultFile> files) =>
        [
            .. files
                .SelectMany(f => f.Rows.Select(r => (File: f, Row: r)))
                .GroupBy(r => ResultMaps.NameOf(r.Row))
                .Select(g =>
                {
                    string[] named = [.. g.Select(r => Path.GetFileName(r.File.Path)).Distinct()];
                    string rows =
                        $"{g.Count():N0} rows of {(named.Length <= MostListed ? string.Join(", ", named) : $"{named.Length} files")}";
                    string commits = Listed(g.Select(r => r.Row.Commit));
                    string profiles = Listed(g.Select(r => r.Row.Hardware));
                    string standings = Listed(g.Select(r => r.Row.Standing));
                    string how = g.First().Row.Source switch
                    {
                        ResultSource.Simulated =>
                            $"simulated{(profiles.Length > 0 ? $" for {profiles}" : "")}"
                                + $"{(standings.Length > 0 ? $" with {standings}" : "")}; nothing ran",
                        ResultSource.Measured => "measured",
                        _ => "measured and published by others",
                    };
                    return $"{char.ToUpperInvariant(g.Key[0])}{g.Key[1..]}: {how}; "
                        + $"{rows}{(commits.Length > 0 ? $", commit {commits}" : "")}.";
                }),
        ];

    private static string Listed(IEnumerable<string?> texts)
    {
        string[] all = [.. texts.OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        return all.Length <= MostListed
            ? string.Join(", ", all)
            : $"{string.Join(", ", all[..MostListed])} and {all.Length - MostListed} more";
    }
}
