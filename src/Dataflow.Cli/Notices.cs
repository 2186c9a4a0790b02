namespace Dataflow.Cli;

/// <summary>What a user should know about files that are read all the same: a line on stderr, once, however often they are read.</summary>
internal static class Notices
{
    private static readonly HashSet<string> Told = [];

    /// <summary>Opens a model, and tells what its file says in vain.</summary>
    /// <exception cref="Model.UserErrorException">There is no such model, or it cannot be used.</exception>
    public static ModelSource Open(string model)
    {
        var source = ModelSource.Open(model);
        Tell(source.Notes);
        return source;
    }

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
