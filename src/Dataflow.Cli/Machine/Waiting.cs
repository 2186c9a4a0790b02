using System.Diagnostics;

namespace Dataflow.Cli;

/// <summary>What the command line itself makes its user wait for, as an activity: <see cref="Startup"/> shows it.</summary>
internal static class Waiting
{
    /// <summary>The name of the source.</summary>
    public const string Source = "Dataflow.Cli";

    private static readonly ActivitySource s_source = new(Source);

    /// <summary>Does something under a name.</summary>
    public static T For<T>(string what, Func<T> work)
    {
        using var activity = s_source.StartActivity(what);
        return work();
    }
}
