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
