namespace Dataflow.Cli;

/// <summary>Tells programs of a training run while it happens: a line of JSON an event.</summary>
/// <param name="output">Where it goes.</param>
/// <param name="interruption">Says which signal ended the run.</param>
internal sealed class JsonReport(TextWriter output, Interruption interruption)
{
    private readonly RunJson events = new();

    /// <summary>Tells of an event; of what a person should know too, on standard error.</summary>
    public void Take(RunEvent happened)
    {
        Messages.Tell(happened);
        if (happened is RunEvent.Interrupted && interruption.By is null || events.Of(happened) is not { } line)
        {
            return;
        }

        if (happened is RunEvent.Interrupted && interruption.By is { } signal)
        {
            line.Insert(1, "signal", Interruption.NameOf(signal));
            line["exit_code"] = (int)Interruption.CodeOf(signal);
        }

        output.WriteLine(line.ToJsonString());
    }
}
