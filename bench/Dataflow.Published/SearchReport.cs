using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Published;

/// <summary>
/// Policy auto against policy reference in every published row, both as the simulator predicts them with the same constants.
/// </summary>
/// <param name="Conditions">Commit and machine.</param>
internal sealed record SearchReport(IReadOnlyList<SearchedRow> All, double Seconds, Bytes PeakMemory, string Conditions)
{
    private IReadOnlyList<SearchedRow> Ran => [.. All.Where(r => r.Row.Ran)];

    private IReadOnlyList<SearchedRow> Slower => [.. Ran.Where(r => r.Rate < r.Reference)];

    /// <summary>Rows that ran with less than half of the device memory that the machine had at most.</summary>
    private IReadOnlyList<SearchedRow> Small =>
        [.. Ran.Where(r => 2 * r.Budget.Device.Value < All.Where(o => o.Row.Machine == r.Row.Machine).Max(o => o.Budget.Device.Value))];

    private int New => All.Count(r => !r.Row.Ran && r.Rate > 0);

    private double MedianOfSmall => Median(Small);

    /// <summary>Pairs of rows of a group of which one has at least as much of both memories and is slower.</summary>
    private int Falls => All.GroupBy(r => (r.Row.Machine, r.Row.Model, r.Row["seq_len"])).Sum(g => g.Sum(a => g.Count(b =>
        b.Budget.Device >= a.Budget.Device && b.Budget.Host >= a.Budget.Host && b.Rate < a.Rate)));

    /// <summary>Everything that is to hold does.</summary>
    public bool IsMet => Slower.Count == 0 && MedianOfSmall >= 0.05 && New >= 100 && Falls == 0;

    /// <summary>Markdown, which also reads as plain text.</summary>
    public string Markdown()
    {
        var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        text.WriteLine("# Policy auto against policy reference in the published sweeps\n");
        text.WriteLine($"{Conditions} {All.Count} rows searched in {Seconds:F0} s; memory of the program at most {PeakMemory}.\n");
        text.WriteLine(
            "Everything is predicted: both policies with the constants fitted to the published runs, as many tokens a step, the published "
                + "budgets. Of auto's"
        );
        text.WriteLine("device memory the machine's reserve is taken away first; reference has none.\n");
        text.WriteLine($"- Slower than reference in {Slower.Count} of {Ran.Count} rows that ran.");
        text.WriteLine(
            $"- Median gain where the device budget is under half of the machine's largest: {MedianOfSmall:+0.0%} ({Small.Count} rows)."
        );
        text.WriteLine(
            $"- Feasible in {Ran.Count(r => r.Rate > 0)} of {Ran.Count} rows that ran, and in {New} of {All.Count - Ran.Count} that did "
                + $"not."
        );
        text.WriteLine($"- Pairs of rows in which more memory is slower: {Falls}.\n");
        text.WriteLine(
            "| machine and model | rows that ran | least gain | median gain | largest gain | under half of the device memory, median | "
                + "rows that did not run, feasible |\n|---|---:|---:|---:|---:|---:|---:|"
        );
        foreach (var group in All.GroupBy(r => $"{r.Row.Machine} {r.Row.Model}").OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var ran = group.Where(r => r.Row.Ran).ToList();
            var small = Small.Where(r => $"{r.Row.Machine} {r.Row.Model}" == group.Key).ToList();
            text.WriteLine(
                $"| {group.Key} | {ran.Count} | {ran.Min(r => r.Gain):+0.0%;-0.0%} | {Median(ran):+0.0%;-0.0%} | "
                    + $"{ran.Max(r => r.Gain):+0.0%;-0.0%} | "
                    + $"{(small.Count > 0 ? Median(small).ToString("+0.0%;-0.0%", CultureInfo.InvariantCulture) : "none")} "
                + $"| {group.Count(r => !r.Row.Ran && r.Rate > 0)} of {group.Count(r => !r.Row.Ran)} |");
        }

        text.WriteLine("\nThe ten rows with the least gain:\n");
        text.WriteLine(
            "| machine and model | seqlen | host GiB | device GiB | reference tok/s | auto tok/s | gain "
                + "|\n|---|---:|---:|---:|---:|---:|---:|"
        );
        foreach (var r in Ran.OrderBy(r => r.Gain).Take(10))
        {
            text.WriteLine(
                $"| {r.Row.Machine} {r.Row.Model} | {r.Row["seq_len"]} | {r.Row["host_mem_gb"]} | {r.Row["dev_mem_gb"]} | "
                    + $"{r.Reference:F0} | {r.Rate:F0} | {r.Gain:+0.0%;-0.0%} |"
            );
        }

        return text.ToString();
    }

    /// <summary>Every row.</summary>
    public string Csv() =>
        string.Join(
            '\n',
            All.Select(r =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{r.Row.Machine},{r.Row.Model},{r.Row["seq_len"]},{r.Row["host_mem_gb"]},{r.Row["dev_mem_gb"]},"
                            + $"{r.Row.Number("tok_per_sec"):F3},{r.Reference:F3},{r.Rate:F3},{Choice(r)}"
                    )
                )
                .Prepend(
                    "machine,model,seqlen,host_gib,device_gib,published_tok_per_sec,reference_tok_per_sec,auto_tok_per_sec,"
                        + "auto_device_gib,auto_host_gib,chunk_tokens,chunks_per_round,rounds,interleaved"
                )
        ) + "\n";

    /// <summary>The figures for programs.</summary>
    public string Json() =>
        new JsonObject
        {
            ["conditions"] = Conditions,
            ["rows"] = All.Count,
            ["seconds"] = Math.Round(Seconds),
            ["slower"] = Slower.Count,
            ["median_gain_small"] = Math.Round(MedianOfSmall, 4),
            ["feasible_new"] = New,
            ["falls"] = Falls,
            ["met"] = IsMet,
        }.ToJsonString(new() { WriteIndented = true }) + "\n";

    private static string Choice(SearchedRow r) =>
        r.Auto is { } auto
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{auto.Device.GiB:F3},{auto.Host.GiB:F3},{auto.Choice.Geometry.ChunkTokens},{auto.Choice.Geometry.ChunksPerRound},"
                    + $"{auto.Choice.Geometry.Rounds},{(auto.Choice.Residency.Interleaved ? 1 : 0)}"
            )
            : ",,,,,";

    private static double Median(IReadOnlyList<SearchedRow> rows) =>
        rows.Count == 0 ? 0 : rows.Select(r => r.Gain).Order().ElementAt(rows.Count / 2);
}
