using System.CommandLine;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <summary>The --json of commands that print an object a line while they run: however such a run fails, its last line says so.</summary>
internal sealed class EventsOption : Option<bool>
{
    /// <summary>The option.</summary>
    public EventsOption(string description)
        : base("--json") => Description = description;

    /// <summary>The option of a command line that has it and was given it, usable or not otherwise; else null.</summary>
    public static EventsOption? Of(ParseResult parsed) =>
        parsed.CommandResult.Command.Options.OfType<EventsOption>().FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false });

    /// <summary>The last line of a run that failed; nothing if the output cannot take it, of which the exit status tells.</summary>
    public void Print(Failure failure)
    {
        try
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["event"] = "error",
                ["kind"] = failure.Kind,
                ["message"] = string.Join("; ", failure.Sentences).ReplaceLineEndings(" "),
                ["exit_code"] = (int)failure.Code,
            }.ToJsonString());
        }
        catch (OutputException)
        {
            // Said already.
        }
    }
}
