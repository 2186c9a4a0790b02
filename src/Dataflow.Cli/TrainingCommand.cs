namespace Dataflow.Cli;

/// <summary>Trains as a command does: tells of it on the console, and listens to signals.</summary>
internal static class TrainingCommand
{
    /// <summary>Trains.</summary>
    /// <param name="settings">What was given.</param>
    /// <param name="json">Whether each event is to be a line of JSON.</param>
    /// <exception cref="Model.UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    /// <exception cref="RunFailedException">It ended, and something that it was to leave behind is missing.</exception>
    public static ExitCode Execute(TrainingOptions settings, bool json)
    {
        using var interruption = new Interruption(saves: settings.Checkpoint is not null);
        if (settings.LeavesSomething)
        {
            GuardedOutput.GoOnWithout(lost => Messages.Tell($"error: {lost.Message}; training goes on without it"));
        }

        Action<RunEvent> tell = json ? new JsonReport(Console.Out, interruption).Take : new TrainingReport(Console.Out, interruption).Take;
        using var run = TrainingRun.Prepare(settings, tell);
        interruption.Listen(run.RequestSave);
        try
        {
            foreach (var step in run.Steps(interruption.Stop))
            {
                _ = step; // the report was told
            }
        }
        catch (RunFailedException failed) when (GuardedOutput.Lost is { } lost)
        {
            throw new RunFailedException([.. failed.Failures, lost.Message]);
        }

        return GuardedOutput.Lost is { } gone ? throw new RunFailedException([gone.Message])
            : interruption.By is { } signal ? Interruption.CodeOf(signal) : ExitCode.Ok;
    }
}
