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
        var command = new Command("sweep", "Simulates or measures a table of host memory x device memory x length x model x machine into a CSV; interrupted, the same command goes on.");
        var config = Values.Argument("config", "a JSON file of experiments (bench/sweeps/README.md)", Values.FilePath);
        var experiment = Values.Argument("experiment", "one of its experiments", Values.FilePath);
        var output = Values.Option<string?>("--out", "FILE", "the result file; of an earlier sweep of the same experiment the missing cells alone are made", Values.FilePath);
        var noCache = Values.Flag("--no-cache", "search for plans even if an earlier search is remembered, and remember nothing");
        var json = Values.Flag("--json", "print one JSON object at the end");
        command.Arguments.Add(config);
        command.Arguments.Add(experiment);
        Option[] options = [output, noCache, json];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => (int)Execute(
            parsed.GetRequiredValue(config), parsed.GetRequiredValue(experiment),
            parsed.GetValue(output) ?? throw new UserErrorException("--out is missing; name the CSV to write, for example --out results.csv"),
            parsed.GetValue(noCache) ? PlanCache.None : PlanCache.OfThisMachine, parsed.GetValue(json)));
        return command;
    }

    private static ExitCode Execute(string config, string name, string path, PlanCache cache, bool json)
    {
        var experiment = SweepConfig.Read(config, name);
        var cells = experiment.Cells();
        var requests = new SweepRequests(experiment);
        using var file = SweepFile.Open(path, requests.Fingerprint(), cells);
        var left = cells.Where(c => !file.Done.Contains(c.Key)).ToList();
        TimeSpan elapsed;
        using (var progress = new SweepProgress(name, cells.Count, file.Done.Count))
        {
            void Done(ResultRow row)
            {
                file.Append(row);
                progress.Count(row.Feasible);
            }

            string? commit = Checkout.Commit();
            if (experiment.Measurement is { } how)
            {
                foreach (var cell in left)
                {
                    Done(MeasuredCell.Run(cell, requests.Of(cell), how, cache, commit));
                }
            }
            else
            {
                SimulationGroups.Answer([.. left.Select(requests.Of)], cache, (i, answer) => Done(SweepRow.Of(left[i], answer, commit)));
            }

            elapsed = progress.Elapsed;
        }

        var rows = file.Finish(cells);
        int feasible = rows.Count(r => r.Feasible);
        Console.Out.WriteLine(json
            ? new JsonObject
            {
                ["experiment"] = name, ["out"] = path, ["cells"] = cells.Count, ["done_before"] = file.Done.Count, ["feasible"] = feasible, ["infeasible"] = cells.Count - feasible,
                ["source"] = ResultColumns.NameOf(rows[0].Source), ["seconds"] = elapsed.TotalSeconds,
            }.ToJsonString()
            : $"{path}: {cells.Count:N0} cells {ResultColumns.NameOf(rows[0].Source)}, {feasible:N0} feasible, {cells.Count - feasible:N0} not; {left.Count:N0} of them now, in {elapsed.TotalSeconds:0.0} s");
        return ExitCode.Ok;
    }
}
