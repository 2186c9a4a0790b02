using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>dataflow data: what becomes of texts and conversations before training.</summary>
internal static class DataVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples = [RenderVerb.Examples[0]];

    /// <summary>The command, with its own verbs.</summary>
    public static Command Command()
    {
        var command = new Command("data", "Shows what training would see of texts and conversations.");
        command.Subcommands.Add(RenderVerb.Command());
        return command;
    }

    /// <summary>Its verbs with their examples.</summary>
    public static IEnumerable<(Command Verb, string[] Examples)> Verbs(Command root) =>
        root.Subcommands.Single(c => c.Name == "data").Subcommands.Select(c => (c, RenderVerb.Examples));
}
