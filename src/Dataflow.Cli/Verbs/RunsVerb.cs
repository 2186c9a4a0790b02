using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <summary>dataflow runs: the runs of a folder.</summary>
internal static class RunsVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples = ["dataflow runs runs"];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("runs", "Lists the runs that were saved in a folder and in those below it.");
        var folder = Declare.Argument("dir", "where runs were saved (--checkpoint)", Values.FilePath);
        var json = Declare.Flag("--json", "print one JSON object a run");
        command.Arguments.Add(folder);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            var runs = RunRecord.In(parsed.GetRequiredValue(folder));
            if (parsed.GetValue(json))
            {
                runs.ToList().ForEach(r => Console.Out.WriteLine(Json(r).ToJsonString()));
            }
            else if (runs.Count == 0)
            {
                Console.Out.WriteLine($"no runs in {parsed.GetRequiredValue(folder)}: `dataflow train --checkpoint DIR` saves one");
            }
            else
            {
                Write(runs);
            }

            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void Write(IReadOnlyList<RunRecord> runs)
    {
        var table = new TextTable("run", "model", "data", "best loss", "last loss", "step", "tokens", "state");
        foreach (var run in runs)
        {
            table.Add(
                run.Folder,
                run.Model,
                run.Data,
                Loss(run.BestLoss) + (run.IsValidated ? " (validation)" : ""),
                Loss(run.LastLoss),
                run.Steps is { } steps ? $"{run.Step}/{steps}" : $"{run.Step}",
                run.Tokens.ToString("N0", CultureInfo.InvariantCulture),
                Name(run));
        }

        table.WriteTo(Console.Out);
    }

    private static string Loss(double? loss) => loss?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "-";

    private static string Name(RunRecord run) => run.State.ToString().ToLowerInvariant();

    private static JsonObject Json(RunRecord run) => new()
    {
        ["run"] = run.Folder,
        ["model"] = run.Model,
        ["data"] = run.Data,
        ["best_loss"] = run.BestLoss,
        ["validated"] = run.IsValidated,
        ["last_loss"] = run.LastLoss,
        ["step"] = run.Step,
        ["steps"] = run.Steps,
        ["tokens"] = run.Tokens,
        ["state"] = Name(run),
    };
}
