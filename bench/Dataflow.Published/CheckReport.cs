using System.Globalization;
using System.Text.Json.Nodes;

namespace Dataflow.Published;

/// <summary>The comparison as text, table and numbers.</summary>
/// <param name="Conditions">Commit and machine.</param>
internal sealed record CheckReport(IReadOnlyList<Comparison> All, double Seconds, string Conditions)
{
    private IReadOnlyList<Comparison> Ran => [.. All.Where(c => c.Row.Ran)];

    /// <summary>Rows that took no part in the fit.</summary>
    public IReadOnlyList<Accuracy> HeldOut => Accuracy.ByMachineAndModel(Ran.Where(c => !c.Row.IsFitted));

    private IReadOnlyList<Accuracy> Fitted => Accuracy.ByMachineAndModel(Ran.Where(c => c.Row.IsFitted));

    private double SameDecisions => (double)All.Count(c => c.SameDecisions) / All.Count;

    /// <summary>The limits that are to be met: decisions in 99.5% of rows, and each machine's and model's errors.</summary>
    public bool IsMet => SameDecisions >= 0.995 && HeldOut.All(a => a.IsMet);

    /// <summary>Markdown, which also reads as plain text.</summary>
    public string Markdown()
    {
        var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        text.WriteLine("# Policy reference against the published sweeps\n");
        text.WriteLine($"{Conditions}\n");
        text.WriteLine(
            $"Decisions (feasibility, chunk, activations on device and saved by level, rounds, sequences, memory to 1e-4 GiB) as "
                + $"published in {All.Count(c => c.SameDecisions)} of {All.Count} rows."
        );
        text.WriteLine(
            $"{All.Count} rows planned, {Ran.Count} lowered and simulated ({Ran.Sum(c => (long)c.Ops):N0} ops) in {Seconds:F0} s."
        );
        text.WriteLine(
            "Errors are of tokens a second: predicted over measured, less one. Constants (six a machine, in `profiling/hardware`) were "
                + "fitted on every"
        );
        text.WriteLine(
            "other row of a machine and model; the rows held out took no part. Limits: median 4%, 95th percentile 10%, each machine and "
                + "model alone.\n"
        );
        Table(text, "held out", HeldOut);
        text.WriteLine();
        Table(text, "fitted", Fitted);
        text.WriteLine("\nThe ten rows held out that miss most:\n");
        text.WriteLine(
            "| machine and model | seqlen | host GiB | device GiB | measured tok/s | predicted | error "
                + "|\n|---|---:|---:|---:|---:|---:|---:|"
        );
        foreach (var c in Ran.Where(c => !c.Row.IsFitted).OrderByDescending(c => Math.Abs(c.Error)).Take(10))
        {
            text.WriteLine(
                $"| {c.Row.Machine} {c.Row.Model} | {c.Row["seq_len"]} | {c.Row["host_mem_gb"]} | {c.Row["dev_mem_gb"]} | {c.Measured:F0} "
                    + $"| {c.Predicted:F0} | {Percent(c.Error)} |"
            );
        }

        text.WriteLine("\n![predicted against measured](published.svg)");
        return text.ToString();
    }

    /// <summary>Every row.</summary>
    public string Csv() =>
        string.Join(
            '\n',
            Ran.Select(c =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{c.Row.Machine},{c.Row.Model},{c.Row["seq_len"]},{c.Row["host_mem_gb"]},{c.Row["dev_mem_gb"]},"
                            + $"{(c.Row.IsFitted ? "fitted" : "held out")},{c.Measured:F3},{c.Predicted:F3},{c.Error:F4}"
                    )
                )
                .Prepend("machine,model,seqlen,host_gib,device_gib,part,measured_tok_per_sec,predicted_tok_per_sec,error")
        ) + "\n";

    /// <summary>The tables for programs.</summary>
    public string Json()
    {
        static JsonArray Rows(IReadOnlyList<Accuracy> rows) =>
            [
                .. rows.Select(a => new JsonObject
                {
                    ["name"] = a.Name,
                    ["rows"] = a.Rows,
                    ["median"] = Digits(a.Median),
                    ["percentile_95"] = Digits(a.Percentile95),
                    ["most"] = Digits(a.Most),
                    ["mean"] = Digits(a.Mean),
                    ["met"] = a.IsMet,
                }),
            ];
        return new JsonObject
        {
            ["conditions"] = Conditions, ["rows"] = All.Count, ["same_decisions"] = All.Count(c => c.SameDecisions),
            ["held_out"] = Rows(HeldOut), ["fitted"] = Rows(Fitted), ["met"] = IsMet,
        }.ToJsonString(new() { WriteIndented = true }) + "\n";
    }

    private static double Digits(double value) => Math.Round(value, 4);

    private static string Percent(double value) =>
        (Math.Round(value, 3) is 0 ? 0 : value).ToString("+0.0%;-0.0%;0.0%", CultureInfo.InvariantCulture);

    private static void Table(StringWriter text, string part, IReadOnlyList<Accuracy> rows)
    {
        text.WriteLine(
            $"| {part} | rows | median error | 95th percentile | largest | mean, signed | within limits "
                + $"|\n|---|---:|---:|---:|---:|---:|---|"
        );
        foreach (var a in rows)
        {
            text.WriteLine(
                $"| {a.Name} | {a.Rows} | {a.Median:0.0%} | {a.Percentile95:0.0%} | {a.Most:0.0%} | {Percent(a.Mean)} | "
                    + $"{(a.IsMet ? "yes" : "NO")} |"
            );
        }
    }
}
