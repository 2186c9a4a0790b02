namespace Dataflow.Cli;

/// <summary>How a program ended.</summary>
internal enum ExitCode
{
    /// <summary>Everything that was asked for was done.</summary>
    Ok = 0,

    /// <summary>Something went wrong that is not the user's doing, or a proof failed.</summary>
    Failed = 1,

    /// <summary>Bad usage or bad input: the message says what to change.</summary>
    BadUsage = 2,

    /// <summary>No plan fits the budgets: the message names the smallest that would do.</summary>
    Infeasible = 3,

    /// <summary>Ended by SIGHUP after what was trained had been saved; this and the next two are numbered as shells do.</summary>
    HungUp = 129,

    /// <summary>Ended by Ctrl-C (SIGINT), likewise.</summary>
    Interrupted = 130,

    /// <summary>Ended by SIGTERM, likewise.</summary>
    Terminated = 143,
}

/// <summary>No plan fits.</summary>
internal sealed class InfeasibleException(string reason) : Exception(reason);

/// <summary>What was to be proved is not so; the message is one line.</summary>
internal sealed class FailedException(string message) : Exception(message);

/// <summary>A run came to its end, and some of what it was to leave behind could not be written; a line each.</summary>
internal sealed class RunFailedException(IReadOnlyList<string> failures) : Exception(string.Join("; ", failures))
{
    /// <summary>A sentence each.</summary>
    public IReadOnlyList<string> Failures { get; } = failures;
}
