using System.CommandLine;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Reports.Pages;

namespace Dataflow.Cli;

/// <summary>dataflow atlas: all experiments of sweep configs, swept and drawn.</summary>
internal static class AtlasVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow atlas bench/sweeps/published.json bench/sweeps/predictions.json --against bench/published/published_sweeps.csv --out "
            + "atlas",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "atlas",
            "Sweeps every experiment of some configs, with timelines, and draws all heatmaps as one folder of pages; interrupted, the "
                + "same command goes on."
        );
        var configs = new Argument<string[]>("configs")
        {
            Description = "JSON files of experiments (bench/sweeps/README.md)",
            Arity = ArgumentArity.OneOrMore,
        };
        var output = Declare.Option<string?>(
            "--out",
            "DIR",
            "write index.html, a page a machine and model, and results/ there",
            Values.FilePath
        );
        var against = AgainstOption.Make();
        var note = Declare.Option<string?>("--note", "TEXT", "a sentence for the index", t => t);
        var json = Declare.Flag("--json", "print one JSON object at the end");
        command.Arguments.Add(configs);
        Option[] options = [output, against, note, json];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
            (int)Execute(
                parsed.GetRequiredValue(configs),
                parsed.GetValue(against) ?? [],
                parsed.GetValue(output)
                    ?? throw new UserErrorException("--out is missing; name the folder to write, for example --out atlas"),
                parsed.GetValue(note),
                parsed.GetValue(json)
            )
        );
        return command;
    }

    private static ExitCode Execute(string[] configs, string[] against, string folder, string? note, bool json)
    {
        var others = ResultFile.ReadAll(against); // before the work of minutes, not after it
        var experiments = Experiments(configs);
        string results = Path.Combine(folder, "results");
        MapFolder.Make(results);
        MapFolder.Make(folder, "index.html");
        var runs = new List<(string Path, SweepRun Run)>();
        try
        {
            foreach (var experiment in experiments)
            {
                string path = Path.Combine(results, HeatmapSite.NameOf(experiment.Name) + ".csv");
                var run = new SweepRun(experiment, path, timelines: true);
                runs.Add((path, run));
                Notices.Tell(run.Notes);
            }

            var (cells, before) = (runs.Sum(r => r.Run.Cells), runs.Sum(r => r.Run.Before));
            using var progress = new SweepProgress("atlas", cells, before);
            foreach (var (_, run) in runs)
            {
                // Its own result files are what it goes on from: thousands of plans would push those of other commands out of the cache.
                run.Finish(PlanCache.None, VerbProcess.Run, progress.Count);
            }

            progress.Dispose();
            var files = ResultFile.ReadAll(runs.Select(r => r.Path));
            var (index, maps, _) = MapFolder.Write(folder, "Atlas of memory budgets", files, others, note);
            string? commit = Locations.Commit();
            int older = files.Sum(f => f.Rows.Count(r => r.Commit != commit));
            Console.Out.WriteLine(
                json
                    ? new JsonObject
                    {
                        ["out"] = index,
                        ["experiments"] = runs.Count,
                        ["cells"] = cells,
                        ["done_before"] = before,
                        ["maps"] = maps.Count,
                        ["cells_of_other_commits"] = older,
                        ["seconds"] = progress.Elapsed.TotalSeconds,
                    }.ToJsonString()
                    : $"{index}: {maps.Count:N0} maps of {runs.Count} experiments, {cells:N0} cells; {cells - before:N0} of them now, in "
                        + $"{progress.Elapsed.TotalSeconds:0.0} "
                        + $"s{(older > 0 ? $"; {older:N0} are of other commits (delete {results} to make them anew)" : "")}"
            );
            return ExitCode.Ok;
        }
        finally
        {
            foreach (var (_, run) in runs)
            {
                run.Dispose();
            }
        }
    }

    /// <summary>All experiments: each with a file of its own, and no cell in two of them.</summary>
    private static List<SweepExperiment> Experiments(string[] configs)
    {
        var experiments = configs.SelectMany(SweepConfig.ReadAll).ToList();
        if (experiments.GroupBy(e => HeatmapSite.NameOf(e.Name)).FirstOrDefault(g => g.Count() > 1 || g.Key.Length == 0) is { } same)
        {
            throw new UserErrorException(
                $"the results of experiment{(same.Count() > 1 ? "s" : "")} {string.Join(" and ", same.Select(e => $"'{e.Name}'"))} cannot "
                    + $"have a file of {(same.Count() > 1 ? "their" : "its")} own; rename {(same.Count() > 1 ? "one" : "it")}"
            );
        }

        return
            experiments
                .SelectMany(e => e.Cells().Select(c => (Cell: c, Experiment: e)))
                .GroupBy(c => (c.Cell.Key, c.Experiment.Policy, Measured: c.Experiment.Measurement is not null))
                .FirstOrDefault(g => g.Count() > 1)
                ?.ToList()
                is not { } twice
            ? experiments
            : throw new UserErrorException(
                $"experiments {twice[0].Experiment.Name} and {twice[1].Experiment.Name} both have {twice[0].Cell.Machine} "
                    + $"{twice[0].Cell.Model} at seqlen {twice[0].Cell.Seqlen} with {twice[0].Cell.HostGiB} GiB of host and "
                    + $"{twice[0].Cell.DeviceGiB} GiB of device memory; leave it out of one"
            );
    }
}
