namespace Dataflow.Cli;

/// <summary>What a user should know about files that are read all the same: a line on stderr, once, however often they are read.</summary>
internal static class Notices
{
    private static readonly HashSet<string> Told = [];

    /// <summary>Tells what was not told yet.</summary>
    public static void Tell(IEnumerable<string> notes)
    {
        lock (Told)
        {
            foreach (string note in notes.Where(Told.Add))
            {
                try
                {
                    Console.Error.WriteLine($"note: {note}");
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // Nobody listens.
                }
            }
        }
    }
}
