namespace Dataflow.Cli;

/// <summary>
/// What a person is told beside the report: lines on standard error, which may be closed, full, or a terminal that is gone.
/// </summary>
internal static class Messages
{
    /// <summary>What of a run's events a person should know although it is no part of the report.</summary>
    public static void Tell(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Opened opened:
                Notices.Tell(opened.Notes);
                break;
            case RunEvent.Warned warned:
                Tell($"warning: {warned.Warning}");
                break;
            case RunEvent.SaveFailed failed:
                Tell($"error: step {failed.Step} was not saved: {failed.Why}");
                break;
            case RunEvent.Failed failed:
                Tell($"error: {failed.What}");
                break;
        }
    }

    /// <summary>One line; lost if nobody listens, for the exit status still tells.</summary>
    public static void Tell(string message)
    {
        try
        {
            Console.Error.WriteLine(Sentence.Of(message));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody listens.
        }
    }
}
