using System.Collections.Immutable;
using System.Globalization;

namespace Dataflow.Reports.Pages;

/// <summary>Heatmaps of result rows.</summary>
public static class ResultMaps
{
    // Result files count copies in 10^9 bytes; people read memory in GiB.
    private const double GiBOfGB = 1e9 / (1L << 30);

    private const int HashShown = 16;

    /// <summary>
    /// A map for each machine, model, sequence length, system and source, in the order in which the rows first have them; of dtypes, GPUs
    /// and nodes too, where there are several. Files with the same cells have maps of their own, and each name says what tells its map from
    /// the others. A measured map that holds predictions is followed by a map of these. Rows without a place (<see cref="HasPlace"/>) are
    /// left out. Of a generic file's rows that differ in their batch alone the fastest counts.
    /// </summary>
    /// <param name="rows">Rows of result files, in the files' order.</param>
    /// <param name="timelineOf">Where a row's timeline is, as a link relative to the page; null where it has none.</param>
    public static IReadOnlyList<Heatmap> Of(IEnumerable<ResultRow> rows, Func<ResultRow, string?> timelineOf) =>
        [
            .. rows.Where(HasPlace)
                .GroupBy(r => (r.Machine, r.Model, r.Seqlen, Name: NameOf(r)))
                .SelectMany(g => Apart(g.Key.Name, [.. g]))
                .SelectMany(g => Maps(g.Name, g.Rows, timelineOf)),
        ];

    /// <summary>Whether a row can be on a map: machine, model, length and budgets are known, and a figure or why there is none.</summary>
    public static bool HasPlace(ResultRow r) =>
        r is { Machine: not null, Model: not null, Seqlen: > 0 and <= int.MaxValue, HostGiB: not null, DeviceGiB: not null }
        && (!r.Feasible || RunFigures.SpeedOf(r) is not null || r.Tflops is not null || r.Mfu is not null || r.Hfu is not null);

    /// <summary>Whose results a row is one of: "predicted, policy auto", "published".</summary>
    public static string NameOf(ResultRow row)
    {
        string source = row.Source switch { ResultSource.Simulated => "predicted", ResultSource.Measured => "measured", _ => "published" };
        return row.System is { } system ? $"{system}, {source}" : row.Policy is { } policy ? $"{source}, policy {policy}" : source;
    }

    /// <summary>Rows that are not about the same, one from the other.</summary>
    private static IEnumerable<(string Name, ResultRow[] Rows)> Apart(string name, ResultRow[] rows)
    {
        var kinds = rows.GroupBy(r => (r.Dtype, r.Gpus, r.Nodes)).ToList();
        foreach (var kind in kinds)
        {
            string?[] said =
            [
                kinds.Any(k => k.Key.Dtype != kind.Key.Dtype) ? kind.Key.Dtype ?? "dtype not stated" : null,
                kinds.Any(k => (k.Key.Gpus, k.Key.Nodes) != (kind.Key.Gpus, kind.Key.Nodes))
                    ? $"{kind.Key.Gpus ?? 1} GPUs{(kind.Key.Nodes is { } nodes ? $" on {nodes} nodes" : "")}"
                    : null,
            ];
            string own = string.Join(", ", said.OfType<string>().Prepend(name));
            var files = kind.GroupBy(r => r.File).ToList();
            bool overlap = files.SelectMany(f => f.Select(CellOf).Distinct()).GroupBy(c => c).Any(c => c.Count() > 1);
            foreach (
                var part in overlap ? files.Select(f => (Name: $"{own}, {Path.GetFileName(f.Key)}", Rows: f.AsEnumerable())) : [(own, kind)]
            )
            {
                yield return (
                    part.Name,
                    [
                        .. part
                            .Rows.GroupBy(CellOf)
                            .Select(c => c.OrderByDescending(r => r.Feasible).ThenByDescending(RunFigures.SpeedOf).First()),
                    ]
                );
            }
        }
    }

    private static (double?, double?) CellOf(ResultRow row) => (row.HostGiB, row.DeviceGiB);

    private static IEnumerable<Heatmap> Maps(string name, ResultRow[] rows, Func<ResultRow, string?> timelineOf)
    {
        var first = rows[0];
        Heatmap Map(string named, IEnumerable<HeatmapCell> cells) =>
            new(named, first.Machine!, first.Model!, (int)first.Seqlen!.Value, [.. cells]);
        yield return Map(name, rows.Select(r => Cell(r, timelineOf)));
        var predicted = rows.Where(r => r is { Source: ResultSource.Measured, PredictedTokensPerSecond: > 0 }).Select(Predicted).ToList();
        if (predicted.Count > 0)
        {
            yield return Map($"predicted for: {name}", predicted);
        }
    }

    private static HeatmapCell Cell(ResultRow row, Func<ResultRow, string?> timelineOf) =>
        row.Feasible
            ? new HeatmapCell(row.HostGiB!.Value, row.DeviceGiB!.Value, row.Source)
            {
                TokensPerSecond = RunFigures.SpeedOf(row),
                TeraflopsPerSecond = row.Tflops,
                Mfu = row.Mfu,
                Hfu = row.Hfu,
                Plan = Plan(row),
                Timeline = timelineOf(row),
            }
        : row.Reason is { } failed && failed.StartsWith("failed", StringComparison.Ordinal)
            ? new HeatmapCell(row.HostGiB!.Value, row.DeviceGiB!.Value, row.Source) { Failed = failed }
            : new HeatmapCell(row.HostGiB!.Value, row.DeviceGiB!.Value, row.Source)
            {
                Infeasible = Why(row), LeastDeviceGiB = row.SmallestDeviceGiB, LeastHostGiB = row.SmallestHostGiB,
            };

    /// <summary>What was predicted for a measured cell; its model FLOPs are those of the measurement.</summary>
    private static HeatmapCell Predicted(ResultRow row)
    {
        double? ratio = row.PredictedTokensPerSecond / row.TokensPerSecond;
        return new HeatmapCell(row.HostGiB!.Value, row.DeviceGiB!.Value, ResultSource.Simulated)
        {
            TokensPerSecond = row.PredictedTokensPerSecond,
            TeraflopsPerSecond = row.Tflops * ratio,
            Mfu = row.Mfu * ratio,
            Hfu = row.Hfu * ratio,
            Plan = Plan(row with { StepSeconds = row.StepSeconds / ratio }),
        };
    }

    private static string Why(ResultRow row)
    {
        string[] least =
        [
            .. row.SmallestDeviceGiB is { } device ? [Text($"{device:0.###} GiB of device memory")] : Array.Empty<string>(),
            .. row.SmallestHostGiB is { } host ? [Text($"{host:0.###} GiB of host memory")] : Array.Empty<string>(),
        ];
        string reason = row.Reason ?? "the file does not say why";
        return least.Length == 0
            ? reason
            : $"{reason.TrimEnd('.')}. The least that works, the other budget as it is if it can be: {string.Join(", ", least)}.";
    }

    /// <summary>The plan in a few lines; null where the row does not tell.</summary>
    private static string? Plan(ResultRow r)
    {
        string?[] lines =
        [
            Line(
                Said(r.SequencesPerStep, r.SequencesPerStep == 1 ? "one sequence a step" : "{0:#,0} sequences a step"),
                Said(r.StepSeconds, "{0:#,0.000} s a step"),
                Said(r.Rounds, r.Rounds == 1 ? "one round" : "{0:#,0} rounds"),
                Said(r.ChunkTokens, "chunks of {0:#,0} tokens")
            ),
            Line(
                Said(r.HomeActivations, "activations of a round: {0:#,0} go to the host"),
                Said(r.FullSaved, "{0:#,0} of them whole"),
                Said(r.AttentionSaved, "{0:#,0} with attention's output"),
                Said(r.InputOnlySaved, "{0:#,0} without"),
                Said(r.DeviceActivations, "{0:#,0} stay on the device")
            ),
            Line(Said(r.UsedHostGiB, "takes {0:0.##} GiB of host"), Said(r.UsedDeviceGiB, "{0:0.##} GiB of device memory")),
            Line(
                Said(100 * r.RecomputeFraction, "{0:0.0}% of FLOPs repeated"),
                Said(r.StallPercent, "compute waits {0:0.0}% of the time"),
                Said(r.ToDeviceGB * GiBOfGB, "{0:#,0.###} GiB to the device"),
                Said(r.ToHostGB * GiBOfGB, "{0:#,0.###} GiB to the host a step")
            ),
            Line(
                r.PlanHash is { } hash ? $"plan {hash[..Math.Min(HashShown, hash.Length)]}" : null,
                r.Policy is { } policy ? $"policy {policy}" : null,
                r.Hardware is { } profile ? $"constants of {profile}" : null,
                r.Dtype
            ),
            r.Standing is { } standing ? $"predicted with {standing}" : null,
        ];
        string text = string.Join('\n', lines.OfType<string>());
        return text.Length == 0 ? null : text;
    }

    private static string? Line(params string?[] parts) =>
        parts.OfType<string>().ToArray() is { Length: > 0 } said ? string.Join(", ", said) : null;

    private static string? Said(double? value, string format) =>
        value is { } known ? string.Format(CultureInfo.InvariantCulture, format, known) : null;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
