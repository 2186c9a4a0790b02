using System.CommandLine;
using System.CommandLine.Parsing;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>A command line that goes on with a saved run.</summary>
internal static class ResumedCommandLine
{
    // Positional arguments of the demo, by the options that say the same.
    private static readonly Dictionary<string, string> Named = new() { ["host_gb"] = "host-memory", ["dev_gb"] = "device-memory" };

    /// <summary>The command line with what it leaves out as the run was saved.</summary>
    /// <exception cref="UserErrorException">What was saved cannot be used.</exception>
    public static ParseResult Complete(SavedRun run, ParseResult given)
    {
        var command = given.CommandResult.Command;
        var (options, arguments) = (new List<string>(), new List<string>());
        foreach (var option in command.Options.Where(o => !given.WasGiven(o) && !IsReplaced(o, given)))
        {
            if (run.Settings.TryGetValue(option.Name.TrimStart('-'), out string? value))
            {
                foreach (string one in option.Arity.MaximumNumberOfValues > 1 ? value.Split(CorpusValues.Between) : [value])
                {
                    options.AddRange([option.Name, one]);
                }
            }
        }

        foreach (var argument in command.Arguments.Where(a => given.GetResult(a) is null or { Tokens.Count: 0 }))
        {
            string name = Named.GetValueOrDefault(argument.Name, argument.Name);
            arguments.Add(
                run.Settings.GetValueOrDefault(name)
                    ?? throw new UserErrorException(
                        $"{run.Checkpoint.Folder} does not say with which {name} it was trained; give <{argument.Name}>"
                    )
            );
        }

        string[] verbs = [.. given.Tokens.TakeWhile(t => t.Type == TokenType.Command).Select(t => t.Value)];
        string[] rest = [.. given.Tokens.Skip(verbs.Length).Select(t => t.Value)];
        var completed = given.RootCommandResult.Command.Parse([.. verbs, .. options, .. rest, .. arguments], given.Configuration);
        return completed.Errors.Count == 0
            ? completed
            : throw new UserErrorException(
                $"what {run.Checkpoint.Folder} says of its run cannot be used ({completed.Errors[0].Message.TrimEnd('.')}); give that "
                    + $"option anew"
            );
    }

    /// <summary>Whether an option that was not given has another in its place that was.</summary>
    public static bool IsReplaced(Option option, ParseResult given)
    {
        bool Was(Func<Option, bool> one) => given.CommandResult.Command.Options.Any(o => one(o) && given.WasGiven(o));
        return IsData(option) ? Was(IsData) // each takes the other's place
            : option.Name == "--schedule-options" && Was(o => o.Name == "--schedule"); // whose options are its own
    }

    private static bool IsData(Option option) => option.Name is "--data" or "--tokens";
}
