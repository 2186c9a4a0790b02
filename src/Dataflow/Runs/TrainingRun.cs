using System.Runtime.CompilerServices;
using Dataflow.Planning;
using Microsoft.Extensions.Logging;

namespace Dataflow;

/// <summary>
/// A training run: what can be refused is refused, then its steps, then what it leaves behind. Several may go on in one process. All of a
/// run's work on its device is done by one thread of its own, which ends with it.
/// </summary>
public sealed class TrainingRun : IDisposable
{
    private readonly OwnThread thread;
    private readonly PreparedRun run;

    private TrainingRun(OwnThread thread, PreparedRun run) => (this.thread, this.run) = (thread, run);

    /// <summary>The plan that runs.</summary>
    public TrainingPlan Plan => run.Plan;

    /// <summary>What the simulator says that a step takes; null where the machine has no profile.</summary>
    public Prediction? Prediction => run.Prediction;

    /// <summary>Makes a run ready for its first step.</summary>
    /// <param name="options">What is to be trained, on what, and where.</param>
    /// <param name="tell">Told of what happens, by the run's thread.</param>
    /// <param name="logger">Logs what happens.</param>
    /// <exception cref="Model.UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="Model.MachineException">This machine lacks what it takes.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static TrainingRun Prepare(TrainingOptions options, Action<RunEvent>? tell = null, ILogger? logger = null)
    {
        var thread = new OwnThread("training");
        try
        {
            return new TrainingRun(thread, thread.Wait(() => PreparedRun.Of(options, Listener(tell, logger))));
        }
        catch
        {
            thread.Dispose();
            throw;
        }
    }

    /// <summary>Makes a saved run ready to go on: with the settings, the data and the geometry that it was saved with.</summary>
    /// <param name="folder">The folder of its checkpoints, or one of them.</param>
    /// <param name="change">Changes settings: more steps, another learning rate.</param>
    /// <param name="tell">Told of what happens, by the run's thread; of each change, too.</param>
    /// <param name="logger">Logs what happens.</param>
    /// <exception cref="Model.UserErrorException">There is no run to go on with, or a change would give it other results.</exception>
    public static TrainingRun Resume(
        string folder, Func<TrainingOptions, TrainingOptions>? change = null, Action<RunEvent>? tell = null, ILogger? logger = null)
    {
        var saved = SavedRun.Find(folder);
        return Prepare(change is null ? saved.Options : change(saved.Options), tell, logger);
    }

    /// <summary>Asks for a save after the step that is running; from any thread.</summary>
    public void RequestSave() => run.RequestSave();

    /// <summary>
    /// Takes the steps. However they end (by the last one, a cancellation, a failure, or a caller that wants no more of them), what was
    /// trained is saved, and what the run is to leave behind is written.
    /// </summary>
    /// <param name="stop">Cancelled: the step that is running is the last, and no exception follows.</param>
    /// <exception cref="Training.DivergedException">The loss is no number.</exception>
    /// <exception cref="RunFailedException">Something could not be written.</exception>
    public IEnumerable<StepResult> Steps(CancellationToken stop = default)
    {
        var steps = new RunSteps(run);
        try
        {
            while (thread.Wait(() => steps.Next(stop)) is { } step)
            {
                yield return step;
            }
        }
        finally
        {
            thread.Wait(() => RunEnd.Of(run, steps.Taken));
        }
    }

    /// <summary>The same, without a thread that waits for them.</summary>
    /// <param name="stop">Cancelled: the step that is running is the last, and no exception follows.</param>
    /// <exception cref="Training.DivergedException">The loss is no number.</exception>
    /// <exception cref="RunFailedException">Something could not be written.</exception>
    public async IAsyncEnumerable<StepResult> StepsAsync([EnumeratorCancellation] CancellationToken stop = default)
    {
        var steps = new RunSteps(run);
        try
        {
            while (await thread.Run(() => steps.Next(stop)).ConfigureAwait(false) is { } step)
            {
                yield return step;
            }
        }
        finally
        {
            await thread.Run(() => RunEnd.Of(run, steps.Taken)).ConfigureAwait(false);
        }
    }

    /// <summary>Gives back all memory and ends the run's thread.</summary>
    public void Dispose()
    {
        thread.Wait(() =>
        {
            run.Dispose();
            return true;
        });
        thread.Dispose();
    }

    private static Action<RunEvent> Listener(Action<RunEvent>? tell, ILogger? logger) => happened =>
    {
        RunMeter.Take(happened);
        if (logger is not null)
        {
            RunLog.Write(logger, happened);
        }

        tell?.Invoke(happened);
    };
}
