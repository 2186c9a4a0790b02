using System.Diagnostics;

namespace Dataflow;

/// <summary>
/// What a caller waits for: parts of the work that take long, as activities of the source "Dataflow". Whoever listens to them can say
/// what is going on.
/// </summary>
public static class Work
{
    /// <summary>The name of the source.</summary>
    public const string Source = "Dataflow";

    private static readonly ActivitySource s_source = new(Source);

    /// <summary>Does a part of the work under a name.</summary>
    public static T Named<T>(string what, Func<T> work)
    {
        using var activity = s_source.StartActivity(what);
        return work();
    }
}
