namespace Dataflow.Cli;

/// <summary>
/// What a person is told beside the report: lines on standard error, which may be closed, full, or a terminal that is gone.
/// </summary>
internal static class Messages
{
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
