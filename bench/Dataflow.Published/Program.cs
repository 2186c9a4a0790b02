using System.Diagnostics;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning.Reference;
using Dataflow.Published;

const string usage = "usage: Dataflow.Published check [--out DIR] [--note TEXT] | search [MACHINE MODEL SEQLEN] [--out DIR] [--note TEXT] | marks [--out DIR] [--note TEXT] | fit [MACHINE]...; from the checkout's folder";
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string sweeps = Path.Combine("bench", "published", "published_sweeps.csv");
if (args.Length == 0 || args[0] is not ("check" or "search" or "marks" or "fit") || !File.Exists(sweeps))
{
    Console.Error.WriteLine(usage);
    return 2;
}

var rows = PublishedRow.Read(sweeps);
var models = rows.Select(r => r.Model).Distinct().ToDictionary(m => m, m => ModelConfigReader.Parse(File.ReadAllText(Path.Combine("models", m + ".json")), m));
var machines = new Machines(".");
return args[0] switch
{
    "fit" => FitAll(args.Length > 1 ? args[1..] : [.. Machines.Names]),
    "marks" => Write(Marks.Markdown(".", Option("--note") ?? ""), Option("--out")),
    "search" => Search(args.Length > 3 && args[1][0] != '-' ? args[1..4] : null, Option("--out"), Option("--note") ?? ""),
    _ => Check(Option("--out"), Option("--note") ?? ""),
};

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;

int FitAll(string[] names)
{
    foreach (string name in names)
    {
        var fitted = rows.Where(r => r.IsFitted && r.Machine == name).ToList();
        Console.WriteLine($"{name}: {fitted.Count} rows");
        var constants = Fit.Of(machines[name], fitted.Select(r => (PlanOf(r), r.Number("avg_step_time"))), Console.Out);
        bool oneWidth = fitted.Select(r => models[r.Model].HeadDim).Distinct().Count() == 1;
        string SourceOf(string constant) => oneWidth && constant == "attention_head_dim"
            ? "not to be told from the published rows of this machine, all of them with heads of 128: a middle value of other machines"
            : $"fitted on published rows: every other row of each model in bench/published on {name}, {fitted.Count} rows";
        Machines.Write(".", Machines.FileOf(name), constants, SourceOf);
        if (name == "H100")
        {
            Machines.Write(".", "h200-sxm", constants, constant => "as h100-sxm, the same compute and link: " + SourceOf(constant));
        }
    }

    return 0;
}

ReferencePlan PlanOf(PublishedRow row) => ((ReferenceResult.Feasible)ReferencePlanner.Plan(row.Request(models[row.Model]))).Plan;

int Write(string markdown, string? folder)
{
    Console.Out.Write(markdown);
    if (folder is not null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "marks.md"), markdown);
    }

    return 0;
}

int Search(string[]? only, string? folder, string note)
{
    var watch = Stopwatch.StartNew();
    var groups = rows.GroupBy(r => (r.Machine, r.Model, Seqlen: r["seq_len"])).Where(g => only is null || only.SequenceEqual([g.Key.Machine, g.Key.Model, g.Key.Seqlen])).ToList();
    var found = new IReadOnlyList<SearchedRow>[groups.Count];
    int done = 0;
    Parallel.For(0, groups.Count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
    {
        found[i] = SearchedRow.OfGroup([.. groups[i]], models[groups[i].Key.Model], machines[groups[i].Key.Machine]);
        Console.Error.WriteLine($"{Interlocked.Increment(ref done)} of {groups.Count}: {groups[i].Key.Machine} {groups[i].Key.Model} {groups[i].Key.Seqlen}, {watch.Elapsed.TotalSeconds:F0} s");
    });
    using var process = Process.GetCurrentProcess();
    var report = new SearchReport(
        [.. found.SelectMany(f => f)], watch.Elapsed.TotalSeconds, new Bytes(process.PeakWorkingSet64), $"{note}{(note.Length > 0 ? " " : "")}{Environment.ProcessorCount} cores.");
    Console.Out.Write(report.Markdown());
    if (folder is not null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "search.md"), report.Markdown());
        File.WriteAllText(Path.Combine(folder, "search.csv"), report.Csv());
        File.WriteAllText(Path.Combine(folder, "search.json"), report.Json());
    }

    return report.IsMet ? 0 : 1;
}

int Check(string? folder, string note)
{
    var watch = Stopwatch.StartNew();
    var all = new Comparison[rows.Count];
    Parallel.For(0, rows.Count, i => all[i] = Comparison.Of(rows[i], models[rows[i].Model], machines[rows[i].Machine]));
    var report = new CheckReport(all, watch.Elapsed.TotalSeconds, $"{note}{(note.Length > 0 ? " " : "")}{Environment.ProcessorCount} cores.");
    Console.Out.Write(report.Markdown());
    if (folder is not null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "published.md"), report.Markdown());
        File.WriteAllText(Path.Combine(folder, "published.csv"), report.Csv());
        File.WriteAllText(Path.Combine(folder, "published.json"), report.Json());
        File.WriteAllText(Path.Combine(folder, "published.svg"), ScatterPlot.Svg(
            [.. all.Where(c => c.Row.Ran && !c.Row.IsFitted)], "Predicted against measured tokens a second: published sweeps, policy reference, rows held out of the fit"));
    }

    return report.IsMet ? 0 : 1;
}
