using System.CommandLine;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <summary>dataflow diff: what two runs have otherwise.</summary>
internal static class DiffVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples = ["dataflow diff runs/one runs/two"];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command("diff", "Says what differs between two runs: settings, what was recorded, and what came of them.");
        var (one, other) = (Declare.Argument("run", "a folder of a run, or a run file", Values.FilePath),
            Declare.Argument("other", "another", Values.FilePath));
        var json = Declare.Flag("--json", "print one JSON object");
        command.Arguments.Add(one);
        command.Arguments.Add(other);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            var (first, second) = (RunRecord.Of(parsed.GetRequiredValue(one)), RunRecord.Of(parsed.GetRequiredValue(other)));
            var found = RunComparison.Of(first, second);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(new JsonObject
                {
                    ["settings"] = Json(found.Settings),
                    ["recorded"] = Json(found.Recorded),
                    ["figures"] = Json(found.Figures),
                }.ToJsonString());
                return (int)ExitCode.Ok;
            }

            Section("Settings that differ", found.Settings, first, second);
            Section("Recorded otherwise", found.Recorded, first, second);
            Section("What came of them", found.Figures, first, second);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void Section(string heading, IReadOnlyList<RunDifference> rows, RunRecord one, RunRecord other)
    {
        Console.Out.WriteLine(rows.Count == 0 ? $"{heading}: nothing" : $"{heading}:");
        if (rows.Count > 0)
        {
            var table = new TextTable("", one.Folder, other.Folder);
            rows.ToList().ForEach(row => table.Add(row.Name, row.One ?? "-", row.Other ?? "-"));
            table.WriteTo(Console.Out);
        }
    }

    private static JsonArray Json(IReadOnlyList<RunDifference> rows) =>
        [.. rows.Select(r => (JsonNode)new JsonObject { ["name"] = r.Name, ["one"] = r.One, ["other"] = r.Other })];
}
