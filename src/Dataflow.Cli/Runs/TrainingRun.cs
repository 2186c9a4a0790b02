namespace Dataflow.Cli;

/// <summary>A training run: what can be refused is refused, then its steps, then what it leaves behind.</summary>
internal static class TrainingRun
{
    /// <summary>Trains.</summary>
    /// <exception cref="Model.UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    /// <exception cref="RunFailedException">It ended, and something that it was to leave behind is missing.</exception>
    public static ExitCode Execute(TrainingSettings settings)
    {
        using var interruption = new Interruption(saves: settings.Checkpoint is not null);
        if (settings.LeavesSomething)
        {
            GuardedOutput.GoOnWithout(lost => Messages.Tell($"error: {lost.Message}; training goes on without it"));
        }

        using var run = PreparedRun.Of(settings);
        interruption.Listen();
        return RunEnd.Of(run, RunSteps.Take(run, interruption));
    }
}
