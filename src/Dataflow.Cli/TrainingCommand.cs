using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Trains as a command does: tells of it on the console, and listens to signals.</summary>
internal static class TrainingCommand
{
    /// <summary>Trains.</summary>
    /// <param name="settings">What was given.</param>
    /// <param name="json">Whether each event is to be a line of JSON.</param>
    /// <param name="range">The rates of a range test, where that was asked for in place of training.</param>
    /// <exception cref="Model.UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    /// <exception cref="RunFailedException">It ended, and something that it was to leave behind is missing.</exception>
    public static ExitCode Execute(TrainingOptions settings, bool json, RateRange? range = null)
    {
        using var interruption = new Interruption(saves: settings.Checkpoint is not null);
        if (settings.LeavesSomething)
        {
            GuardedOutput.GoOnWithout(lost => Messages.Tell($"error: {lost.Message}; training goes on without it"));
        }

        using var live = json || range is not null || TerminalKind.OfOutput() is not { } kind
            ? null
            : new LiveReport(kind, Console.Out, interruption);
        Action<RunEvent> tell = live is not null ? live.Take
            : json ? new JsonReport(Console.Out, interruption).Take
            : new TrainingReport(Console.Out, interruption).Take;
        try
        {
            if (range is { } rates)
            {
                Find(settings, rates, tell, interruption, json);
            }
            else
            {
                Train(settings, tell, interruption);
            }
        }
        catch (RunFailedException failed) when (GuardedOutput.Lost is { } lost)
        {
            throw new RunFailedException([.. failed.Failures, lost.Message]);
        }

        return GuardedOutput.Lost is { } gone ? throw new RunFailedException([gone.Message])
            : interruption.By is { } signal ? Interruption.CodeOf(signal) : ExitCode.Ok;
    }

    private static void Train(TrainingOptions settings, Action<RunEvent> tell, Interruption interruption)
    {
        using var run = TrainingRun.Prepare(settings, tell);
        interruption.Listen(run.RequestSave);
        foreach (var step in run.Steps(interruption.Stop))
        {
            _ = step; // the report was told
        }
    }

    private static void Find(TrainingOptions settings, RateRange range, Action<RunEvent> tell, Interruption interruption, bool json)
    {
        void Take(RunEvent happened)
        {
            // As of a run that trains: until then a signal ends the program.
            if (happened is RunEvent.Starting)
            {
                interruption.Listen(() => { });
            }

            tell(happened);
        }

        var found = LearningRateFinder.Find(settings, range, Take, interruption.Stop);
        if (json)
        {
            Console.Out.WriteLine(RangeTestJson.Of(found, settings.Page).ToJsonString());
        }
        else
        {
            RangeTestReport.Write(Console.Out, found, settings.Page);
        }
    }
}
