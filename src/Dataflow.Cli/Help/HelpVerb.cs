using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>dataflow help: what --help prints, for those who look for it under that name.</summary>
internal static class HelpVerb
{
    /// <summary>For the list of verbs; <see cref="Invocation"/> answers it.</summary>
    public static Command Command()
    {
        var command = new Command("help", "Prints this list, or the options of a verb.");
        command.Arguments.Add(new Argument<string?>("verb") { Description = "one of the verbs", Arity = ArgumentArity.ZeroOrOne });
        return command;
    }
}
