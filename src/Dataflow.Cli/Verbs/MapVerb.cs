using System.CommandLine;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Reports;
using Dataflow.Reports.Pages;

namespace Dataflow.Cli;

/// <summary>dataflow map: result files as heatmaps.</summary>
internal static class MapVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow map h100-8b.csv --out maps",
        "dataflow map h100-8b.csv --against bench/published/published_sweeps.csv --figures svg,pdf --out maps",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "map",
            "Draws result files as heatmaps over host and device memory: a folder of pages for a browser, with plans, timelines and "
                + "differences."
        );
        var files = new Argument<string[]>("files")
        {
            Description = "result files: of dataflow sweep, with the published columns alone, or another program's CSV",
            Arity = ArgumentArity.OneOrMore,
        };
        var output = Declare.Option<string?>("--out", "DIR", "write index.html and a page a machine and model there", Values.FilePath);
        var against = AgainstOption.Make();
        var columns = Declare.Option<ColumnMapping?>(
            "--columns",
            "OURS=THEIRS,...",
            "what the columns of another program's CSV are",
            ColumnMapping.Parse
        );
        var title = Declare.Option<string?>("--title", "TEXT", "heads the index [default: Heatmaps]", t => t);
        var note = Declare.Option<string?>("--note", "TEXT", "a sentence for the index", t => t);
        var figures = new FigureFlags();
        var json = Declare.Flag("--json", "print one JSON object at the end");
        command.Arguments.Add(files);
        Option[] options = [output, against, columns, title, note, figures.Option, json];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            string folder = parsed.GetValue(output)
                ?? throw new UserErrorException("--out is missing; name the folder to write, for example --out maps");
            string[] main = parsed.GetRequiredValue(files);
            MapFolder.Make(folder, "index.html");
            var all = ResultFile.ReadAll([.. main, .. parsed.GetValue(against) ?? []], parsed.GetValue(columns));
            var (index, maps, leftOut) = MapFolder.Write(
                folder,
                parsed.GetValue(title) ?? "Heatmaps",
                [.. all.Take(main.Length)],
                [.. all.Skip(main.Length)],
                parsed.GetValue(note)
            );
            int drawn = figures.Write(parsed, folder, () => StillFigure.Svgs(maps));
            int cells = maps.Sum(m => m.Cells.Length);
            Console.Out.WriteLine(
                parsed.GetValue(json)
                    ? new JsonObject
                    {
                        ["out"] = index,
                        ["maps"] = maps.Count,
                        ["cells"] = cells,
                        ["figures"] = drawn,
                        ["rows_left_out"] = leftOut,
                    }.ToJsonString()
                    : $"{index}: {maps.Count:N0} maps, {cells:N0} cells{(drawn > 0 ? $", {drawn:N0} figures" : "")}"
                        + $"{(leftOut > 0 ? $"; {leftOut:N0} rows do not say their budgets, length or speed and are on none" : "")}"
            );
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
