using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>Result files that others are held against.</summary>
internal static class AgainstOption
{
    /// <summary>The option.</summary>
    public static Option<string[]> Make() =>
        new("--against")
        {
            HelpName = "FILE",
            Description = "a result file to hold them against, cell by cell; may be given several times",
            Arity = ArgumentArity.OneOrMore,
        };
}
