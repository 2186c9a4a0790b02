using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Runs a command line; whatever goes wrong becomes one line on stderr and an exit code, never a stack trace.</summary>
/// <param name="program">What the user calls it; a test that runs it is called otherwise.</param>
/// <param name="root">Its command.</param>
/// <param name="examples">What --help shows below the options, by command.</param>
internal sealed class Invocation(string program, RootCommand root, IReadOnlyDictionary<Command, string[]> examples)
{
    /// <summary>Set to 1, it adds the trace of an unexpected exception.</summary>
    public const string TraceVariable = "DATAFLOW_TRACE";

    /// <summary>Parses and runs.</summary>
    /// <param name="arguments">As the shell gave them.</param>
    public int Run(string[] arguments)
    {
        root.Directives.Clear();
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new HelpWithExamples(program, examples);
        }

        EventsOption? events = null;
        try
        {
            var parsed = root.Parse(
                WithoutHelpVerb(arguments),
                new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false }
            );
            events = EventsOption.Of(parsed);
            return Fault(parsed) is { } fault
                ? Fail(new Failure("refused", ExitCode.BadUsage, [$"{fault}; see `{NameOf(parsed)} --help`"]), events)
                : parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception e)
        {
            return Explain(e, events);
        }
    }

    private static int Explain(Exception e, EventsOption? events)
    {
        if (Environment.GetEnvironmentVariable(TraceVariable) == "1")
        {
            Messages.Tell(e.ToString());
        }

        // What ran on several threads may fail on several at once: the user's own mistake tells more than what followed from it.
        var all = e is AggregateException many ? many.Flatten().InnerExceptions : [e];
        var failure = Failure.Of(
            all.FirstOrDefault(x =>
                x is UserErrorException or InfeasibleException or FailedException or DivergedException
            ) ?? all[0]
        );
        return Fail(failure, events);
    }

    private static int Fail(Failure failure, EventsOption? events)
    {
        foreach (string sentence in failure.Sentences)
        {
            Messages.Tell($"{(failure.Code == ExitCode.Infeasible ? "infeasible" : "error")}: {sentence}");
        }

        events?.Print(failure);
        return (int)failure.Code;
    }

    /// <summary>What is wrong with the usage; null if nothing is.</summary>
    private string? Fault(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        bool asksForHelp = parsed.Action is HelpWithExamples;
        if (command is RootCommand && root.Subcommands.Count > 0 && (!asksForHelp || parsed.UnmatchedTokens.Count > 0))
        {
            string[] verbs = [.. root.Subcommands.Select(c => c.Name)];
            string all = string.Join(", ", verbs);
            return parsed.UnmatchedTokens is [var strange, ..]
                ? strange.StartsWith('-') ? $"unknown option {strange}{Spelling.DidYouMean(strange, command.Options.Select(o => o.Name))}"
                : $"'{strange}' is no verb of {program} ({all}){Spelling.DidYouMean(strange, verbs)}"
                : parsed.Errors.Count == 0 ? null : $"{program} needs a verb: {all}";
        }

        if (asksForHelp || (parsed.Errors.Count == 0 && Misspelt(parsed) is null))
        {
            return null;
        }

        if (command.Subcommands.Count > 0 && parsed.UnmatchedTokens.Count == 0)
        {
            return $"{HelpText.NameOf(command, program)} needs a verb: {string.Join(", ", command.Subcommands.Select(c => c.Name))}";
        }

        string[] missing =
        [
            .. command
                .Arguments.Where(a => a.Arity.MinimumNumberOfValues > 0 && parsed.GetResult(a) is null or { Tokens.Count: 0 })
                .Select(a => $"<{a.Name}>"),
        ];
        return Misspelt(parsed) is { } option ? $"unknown option {option}{Spelling.DidYouMean(option, command.Options.Select(o => o.Name))}"
            : missing.Length > 0 ? $"{string.Join(' ', missing)} {(missing.Length == 1 ? "is" : "are")} missing"
            : parsed.Errors[0].Message.TrimEnd('.');
    }

    /// <summary>A misspelt option is read as an argument where one is missing; the misspelling is what to report.</summary>
    private static string? Misspelt(ParseResult parsed) => parsed.Tokens.Any(t => t.Type == TokenType.DoubleDash) ? null
        : parsed.Tokens.Where(t => t.Type == TokenType.Argument).Select(t => t.Value).Concat(parsed.UnmatchedTokens)
            .FirstOrDefault(t => t.StartsWith("--", StringComparison.Ordinal));

    private string NameOf(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        return HelpText.NameOf(command, program);
    }

    /// <summary>"help" and "help VERB" are what --help prints.</summary>
    private static string[] WithoutHelpVerb(string[] arguments) => arguments switch
    {
        ["help"] => ["--help"],
        ["help", [not '-', ..] verb] => [verb, "--help"],
        _ => arguments,
    };

    private sealed class HelpWithExamples(string program, IReadOnlyDictionary<Command, string[]> examples) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var command = parseResult.CommandResult.Command;
            HelpText.OnConsole().Write(command, program, examples.GetValueOrDefault(command, []));
            return (int)ExitCode.Ok;
        }
    }
}
