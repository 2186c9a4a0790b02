namespace Dataflow;

/// <summary>A training run: what can be refused is refused, then its steps, then what it leaves behind.</summary>
internal sealed class TrainingRun : IDisposable
{
    private readonly PreparedRun run;

    private TrainingRun(PreparedRun run) => this.run = run;

    /// <summary>Makes it ready for its first step.</summary>
    /// <param name="settings">What is to be trained, on what, and where.</param>
    /// <param name="tell">Told of what happens.</param>
    /// <exception cref="Model.UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static TrainingRun Prepare(TrainingSettings settings, Action<RunEvent> tell) => new(PreparedRun.Of(settings, tell));

    /// <summary>Asks for a save after the step that is running; from any thread.</summary>
    public void RequestSave() => run.RequestSave();

    /// <summary>
    /// Takes the steps. However they end (by the last one, a cancellation, a failure, or a caller that wants no more of them), what was
    /// trained is saved, and what the run is to leave behind is written.
    /// </summary>
    /// <param name="stop">Cancelled: the step that is running is the last, and no exception follows.</param>
    /// <exception cref="RunFailedException">Something could not be written.</exception>
    public IEnumerable<StepResult> Steps(CancellationToken stop = default)
    {
        var steps = new RunSteps(run);
        try
        {
            while (steps.Next(stop) is { } step)
            {
                yield return step;
            }
        }
        finally
        {
            RunEnd.Of(run, steps.Taken);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => run.Dispose();
}
