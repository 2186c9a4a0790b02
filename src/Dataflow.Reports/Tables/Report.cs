using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Reports;

/// <summary>A report on result files.</summary>
public sealed record Report(IReadOnlyList<ResultFile> Files, IReadOnlyList<ReportTable> Tables)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>All tables of some files.</summary>
    public static Report Of(IReadOnlyList<ResultFile> files, ReportFacts facts, ReportSettings settings)
    {
        ResultRow[] rows = [.. files.SelectMany(f => f.Rows)];
        var peaks = Peak.Of(rows, facts);
        var cells = UtilizationCell.Of(rows, facts);
        return new Report(
            files,
            [
                SpeedTables.Peaks(
                    settings.All
                        ?
                        [
                            .. rows.Select(r => RunFigures.Of(r, facts))
                                .OfType<RunFigures>()
                                .Select(f => new Peak(f, f.TokensPerSecond, 1, 1)),
                        ]
                        : peaks,
                    settings.All
                ),
                SpeedTables.Scaling(ScalingPoint.Of(peaks, settings.Nodes, settings.Efficiencies)),
                CostTables.Cost(RunCost.Of(rows, facts, settings.Length, settings.GlobalBatch, settings.Price), settings),
                CostTables.Utilization(cells),
                ComparisonTables.Machines(MachineComparison.Of(rows, facts)),
                ComparisonTables.Systems(SystemComparison.Of(rows, facts)),
            ]
        );
    }

    /// <summary>One page.</summary>
    public string Markdown()
    {
        var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        text.WriteLine("# Report\n");
        text.WriteLine("| file | source | rows | did not run |\n|---|---|---:|---:|");
        foreach (var file in Files)
        {
            text.WriteLine(
                $"| {Path.GetFileName(file.Path)} | {SourceOf(file)} | {file.Rows.Count:N0} | {file.Rows.Count(r => !r.Feasible):N0} |"
            );
        }

        foreach (var file in Files.Where(f => f.Superseded.Count > 0))
        {
            text.WriteLine(
                $"\n{Path.GetFileName(file.Path)} has {file.Superseded.Count} cells twice, run again; the later run counts (lines "
                    + $"{string.Join(", ", file.Superseded.Select(r => r.Line))} do not)."
            );
        }

        foreach (var table in Tables)
        {
            text.Write("\n" + table.Markdown());
        }

        return text.ToString();
    }

    /// <summary>The same for machines.</summary>
    public string Json() =>
        new JsonObject
        {
            ["files"] = new JsonArray([
                .. Files.Select(f => new JsonObject
                {
                    ["file"] = f.Path,
                    ["format"] = f.Format.ToString().ToLowerInvariant(),
                    ["source"] = ResultColumns.NameOf(f.Rows[0].Source),
                    ["states_source"] = f.StatesSource,
                    ["standings"] = new JsonArray([.. StandingsOf(f).Select(s => JsonValue.Create(s))]),
                    ["rows"] = f.Rows.Count,
                    ["did_not_run"] = f.Rows.Count(r => !r.Feasible),
                    ["superseded_lines"] = new JsonArray([.. f.Superseded.Select(r => JsonValue.Create(r.Line))]),
                }),
            ]),
            ["tables"] = new JsonObject(Tables.Select(t => KeyValuePair.Create(t.Name, (JsonNode?)t.Json()))),
        }.ToJsonString(Indented) + "\n";

    /// <summary>Where a file's numbers come from, whether it says so, and what predictions in it rest on.</summary>
    internal static string SourceOf(ResultFile file)
    {
        string[] standings = StandingsOf(file);
        return ResultColumns.NameOf(file.Rows[0].Source)
            + (file.StatesSource ? "" : ", which the file does not state")
            + (standings.Length == 0 ? "" : $" with {string.Join(" / ", standings)}");
    }

    private static string[] StandingsOf(ResultFile file) =>
        [.. file.Rows.Select(r => r.Standing).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
}
