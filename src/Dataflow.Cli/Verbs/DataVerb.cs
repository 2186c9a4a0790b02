using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>dataflow data: what becomes of texts and conversations before training.</summary>
internal static class DataVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples = [TokenizeVerb.Examples[0], DataShowVerb.Examples[0], RenderVerb.Examples[0]];

    /// <summary>The command, with its own verbs.</summary>
    public static Command Command()
    {
        var command = new Command("data", "Makes token ids of texts and conversations, and shows what training would see of them.");
        foreach (var (verb, _) in Own())
        {
            command.Subcommands.Add(verb);
        }

        return command;
    }

    /// <summary>Its verbs with their examples.</summary>
    public static IEnumerable<(Command Verb, string[] Examples)> Verbs(Command root)
    {
        var own = root.Subcommands.Single(c => c.Name == "data").Subcommands;
        return Own().Select(v => (own.Single(c => c.Name == v.Verb.Name), v.Examples));
    }

    private static IEnumerable<(Command Verb, string[] Examples)> Own() =>
    [
        (TokenizeVerb.Command(), TokenizeVerb.Examples),
        (DataShowVerb.Command(), DataShowVerb.Examples),
        (RenderVerb.Command(), RenderVerb.Examples),
    ];
}
