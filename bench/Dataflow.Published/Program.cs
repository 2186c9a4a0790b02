using System.Diagnostics;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Baseline;
using Dataflow.Published;

const string usage =
    "usage: Dataflow.Published check [--out DIR] [--note TEXT] | search [MACHINE MODEL SEQLEN] [--out DIR] [--note TEXT] | marks [--out "
        + "DIR] [--note TEXT] | widths [--out DIR] [--note TEXT] | fit [MACHINE]...; from the checkout's folder";
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string sweeps = Path.Combine("bench", "published", "published_sweeps.csv");
if (args.Length == 0 || args[0] is not ("check" or "search" or "marks" or "widths" or "fit") || !File.Exists(sweeps))
{
    Console.Error.WriteLine(usage);
    return 2;
}

var rows = PublishedRow.Read(sweeps);
var models = rows.Select(r => r.Model)
    .Distinct()
    .ToDictionary(m => m, m => ModelConfigReader.Parse(File.ReadAllText(Path.Combine("models", m + ".json")), m));
var machines = new Machines(".");
return args[0] switch
{
    "fit" => Fitted(args.Length > 1 ? args[1..] : [.. Machines.Names]),
    "widths" => Widths(Option("--out"), Option("--note") ?? ""),
    "marks" => Write("marks.md", Marks.Markdown(".", Option("--note") ?? ""), Option("--out")),
    "search" => Search(args.Length > 3 && args[1][0] != '-' ? args[1..4] : null, Option("--out"), Option("--note") ?? ""),
    _ => Check(Option("--out"), Option("--note") ?? ""),
};

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;

int Fitted(string[] names)
{
    new Fits(rows, models, machines).Write(".", names, Console.Out);
    return 0;
}

int Widths(string? folder, string note)
{
    var report = new WidthReport(
        new Fits(rows, models, machines).LeaveOneOut(Console.Error),
        $"{note}{(note.Length > 0 ? " " : "")}{Environment.ProcessorCount} cores."
    );
    return Write("widths.md", report.Markdown(), folder) + Write("widths.json", report.Json(), folder);
}

int Write(string name, string text, string? folder)
{
    Console.Out.Write(text);
    if (folder is not null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, name), text);
    }

    return 0;
}

int Search(string[]? only, string? folder, string note)
{
    var watch = Stopwatch.StartNew();
    var groups = rows.GroupBy(r => (r.Machine, r.Model, Seqlen: r["seq_len"]))
        .Where(g => only is null || only.SequenceEqual([g.Key.Machine, g.Key.Model, g.Key.Seqlen]))
        .ToList();
    var found = new IReadOnlyList<SearchedRow>[groups.Count];
    int done = 0;
    Parallel.For(0, groups.Count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
    {
        found[i] = SearchedRow.OfGroup([.. groups[i]], models[groups[i].Key.Model], machines[groups[i].Key.Machine]);
        Console.Error.WriteLine(
            $"{Interlocked.Increment(ref done)} of {groups.Count}: {groups[i].Key.Machine} {groups[i].Key.Model} {groups[i].Key.Seqlen}, "
                + $"{watch.Elapsed.TotalSeconds:F0} s"
        );
    });
    using var process = Process.GetCurrentProcess();
    var report = new SearchReport(
        [.. found.SelectMany(f => f)],
        watch.Elapsed.TotalSeconds,
        new Bytes(process.PeakWorkingSet64),
        $"{note}{(note.Length > 0 ? " " : "")}{Environment.ProcessorCount} cores."
    );
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
    var report = new CheckReport(
        all,
        watch.Elapsed.TotalSeconds,
        $"{note}{(note.Length > 0 ? " " : "")}{Environment.ProcessorCount} cores."
    );
    Console.Out.Write(report.Markdown());
    if (folder is not null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "published.md"), report.Markdown());
        File.WriteAllText(Path.Combine(folder, "published.csv"), report.Csv());
        File.WriteAllText(Path.Combine(folder, "published.json"), report.Json());
        File.WriteAllText(
            Path.Combine(folder, "published.svg"),
            ScatterPlot.Svg(
                [.. all.Where(c => c.Row.Ran && !c.Row.IsFitted)],
                "Predicted against measured tokens a second: published sweeps, policy reference, rows held out of the fit"
            )
        );
    }

    return report.IsMet ? 0 : 1;
}
