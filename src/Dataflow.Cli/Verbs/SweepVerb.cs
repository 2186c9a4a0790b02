using System.CommandLine;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Reports;

namespace Dataflow.Cli;

/// <summary>dataflow sweep: many configurations, one result file.</summary>
internal static class SweepVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow sweep bench/sweeps/published.json h100-8b --out h100-8b.csv",
        "dataflow sweep bench/sweeps/example.json nano-measured --out nano.csv",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "sweep",
            "Simulates or measures a table of host memory x device memory x length x model x machine into a CSV; interrupted, the same "
                + "command goes on."
        );
        var config = Declare.Argument("config", "a JSON file of experiments (bench/sweeps/README.md)", Values.FilePath);
        var experiment = Declare.Argument("experiment", "one of its experiments", Values.FilePath);
        var output = Declare.Option<string?>(
            "--out",
            "FILE",
            "the result file; where an interrupted sweep left it, only the missing cells are made",
            Values.FilePath
        );
        var timelines = Declare.Flag(
            "--timelines",
            "write each cell's timeline as a page, into a folder beside the result file; dataflow map links to them"
        );
        var noCache = Declare.Flag("--no-cache", "search for plans even if an earlier search is remembered, and remember nothing");
        var json = Declare.Flag("--json", "print one JSON object at the end");
        command.Arguments.Add(config);
        command.Arguments.Add(experiment);
        Option[] options = [output, timelines, noCache, json];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
            (int)Execute(
                parsed.GetRequiredValue(config),
                parsed.GetRequiredValue(experiment),
                parsed.GetValue(output)
                    ?? throw new UserErrorException("--out is missing; name the CSV to write, for example --out results.csv"),
                parsed.GetValue(timelines),
                parsed.GetValue(noCache) ? PlanCache.None : PlanCache.OfThisMachine,
                parsed.GetValue(json)
            )
        );
        return command;
    }

    private static ExitCode Execute(string config, string name, string path, bool timelines, PlanCache cache, bool json)
    {
        using var run = new SweepRun(SweepConfig.Read(config, name), path, timelines);
        Notices.Tell(run.Notes);
        using var progress = new SweepProgress(name, run.Cells, run.Before);
        var rows = run.Finish(cache, VerbProcess.Run, progress.Count);
        progress.Dispose();
        int feasible = rows.Count(r => r.Feasible);
        Console.Out.WriteLine(
            json
                ? new JsonObject
                {
                    ["experiment"] = name,
                    ["out"] = path,
                    ["cells"] = run.Cells,
                    ["done_before"] = run.Before,
                    ["feasible"] = feasible,
                    ["infeasible"] = run.Cells - feasible,
                    ["source"] = ResultColumns.NameOf(rows[0].Source),
                    ["seconds"] = progress.Elapsed.TotalSeconds,
                }.ToJsonString()
                : $"{path}: {run.Cells:N0} cells {ResultColumns.NameOf(rows[0].Source)}, {feasible:N0} feasible, "
                    + $"{run.Cells - feasible:N0} not; {run.Cells - run.Before:N0} of them now, in {progress.Elapsed.TotalSeconds:0.0} s"
        );
        return ExitCode.Ok;
    }
}
