using System.Diagnostics;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A checkpoint that was saved.</summary>
/// <param name="Step">The last step that is in it, from 1.</param>
/// <param name="Folder">As it was given to --checkpoint.</param>
/// <param name="Checkpoint">What was stored.</param>
/// <param name="Seconds">From its first byte to its last.</param>
public sealed record SavedStep(int Step, string Folder, StoredCheckpoint Checkpoint, double Seconds);

/// <summary>What became of a run's checkpoints.</summary>
/// <param name="Plan">What saving was to take.</param>
/// <param name="Newest">The last that was saved; null if none was.</param>
/// <param name="Seconds">Of each that was saved.</param>
/// <param name="Failed">Saves that failed.</param>
/// <param name="Waited">Seconds that training waited for them.</param>
public sealed record SavesDone(SavePlan Plan, SavedStep? Newest, IReadOnlyList<double> Seconds, int Failed, double Waited)
{
    /// <summary>The middle one of their times; 0 where none was saved.</summary>
    public double MedianSeconds => Seconds.Count == 0 ? 0 : Seconds.Order().ElementAt(Seconds.Count / 2);
}

/// <summary>
/// Saves a run: every so many steps, when asked to, and at its end. Where the plan says so, a copy of the state is written while training
/// goes on; at the end, and without a copy, the state itself is. A save that fails is said at once, and the next is tried all the same.
/// </summary>
internal sealed class RunSaving : IDisposable
{
    private readonly CheckpointStore store;
    private readonly Trainer trainer;
    private readonly Action<RunEvent> tell;
    private readonly TrainingProgress begun;
    private readonly SavePlan plan;
    private readonly List<double> seconds = [];
    private StateSnapshot? snapshot;
    private (int Step, Task<SavedStep> Result)? writing;
    private SavedStep? newest;
    private string? failure;
    private int failed;
    private double waited;
    private long tokens;
    private double trained;

    /// <param name="store">Of the run.</param>
    /// <param name="plan">When it is saved, and what that takes.</param>
    /// <param name="trainer">Loaded: its step is that of the checkpoint that the run goes on from, or 0.</param>
    /// <param name="tell">Told of each save.</param>
    /// <param name="begun">What is stored of the run.</param>
    public RunSaving(CheckpointStore store, SavePlan plan, Trainer trainer, Action<RunEvent> tell, TrainingProgress begun)
    {
        (this.store, this.plan, this.trainer, this.tell) = (store, plan, trainer, tell);
        this.begun = begun with { Step = trainer.StepsDone };
    }

    /// <summary>From now on the checkpoint that the run may have to go back to is kept, whatever is saved after it.</summary>
    public void KeepTarget() => store.IsTarget = IsRegular;

    /// <summary>Where the data stands after the last step.</summary>
    public string Position { get; set; } = "";

    /// <summary>What the run knows of its own numbers.</summary>
    public required RunWatch Watch { get; init; }

    /// <summary>What became of them so far.</summary>
    public SavesDone Done => new(plan, newest, seconds, failed, waited);

    /// <summary>Saves if it is time or was asked for.</summary>
    /// <param name="all">The run so far.</param>
    /// <param name="validation">The loss after this step, where it was measured.</param>
    /// <param name="asked">Whether the user asked for a save.</param>
    public void AfterStep(RunSummary all, double? validation, bool asked)
    {
        (tokens, trained) = (all.AllTokens, all.AllSeconds);
        if (writing is { Result.IsCompleted: true })
        {
            Settle();
        }

        if (asked || (plan.Settings.Every > 0 && trainer.StepsDone % plan.Settings.Every == 0))
        {
            Settle();
            Begin(validation);
        }
    }

    /// <summary>
    /// The checkpoint to go back to from a step: the newest one before it of those that are saved every so many steps. Others, saved on
    /// request or at a break, do not count, so that a run that was broken off goes back to where an unbroken one does.
    /// </summary>
    public StoredCheckpoint? RollbackTarget(int step)
    {
        Settle();
        return store.Newest(c => c.Progress.Step < step && IsRegular(c));
    }

    /// <summary>Goes back to a checkpoint of this folder.</summary>
    /// <returns>The one that was loaded: an older one where that is damaged.</returns>
    public StoredCheckpoint RollBack(StoredCheckpoint target)
    {
        var loaded = store.Load(target, trainer);
        newest = new SavedStep(loaded.Progress.Step, store.Folder, loaded, 0);
        return loaded;
    }

    /// <summary>Saves the last step, if it is not saved yet.</summary>
    /// <exception cref="FailedException">It is not saved, or is of no use.</exception>
    public void Finish(StepsTaken steps)
    {
        (tokens, trained) = (steps.Summary.AllTokens, steps.Summary.AllSeconds);
        Settle();
        string before = newest is { } saved ? $"the newest checkpoint in {store.Folder} is of step {saved.Step}"
            : begun.Step > 0 ? $"the newest checkpoint is still that of step {begun.Step}" : "there is no checkpoint";
        if (!steps.IsWhole)
        {
            throw new FailedException($"step {trainer.StepsDone} broke off in its middle and was not saved; {before}");
        }

        if (trainer.StepsDone > (newest?.Step ?? begun.Step))
        {
            Write(Saving(trainer.State, steps.Validation));
        }

        if ((newest?.Step ?? begun.Step) < trainer.StepsDone)
        {
            throw new FailedException($"step {trainer.StepsDone} was not saved: {failure}; {before}");
        }

        if (newest is { Checkpoint: { IsFinite: false } last })
        {
            throw new FailedException(
                $"step {trainer.StepsDone} holds values that are not finite: {last.Folder} is kept to look into, and a run goes on from "
                    + $"the one before"
            );
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (writing is { } last)
        {
            Task.WaitAny(last.Result); // a run that failed otherwise has said so; this one is complete or not there
        }

        snapshot?.Dispose();
    }

    private bool IsRegular(StoredCheckpoint saved) => saved.Progress.Step % plan.Settings.Every == 0;

    private void Begin(double? validation)
    {
        var clock = Stopwatch.StartNew();
        if (plan.Snapshot is null)
        {
            Write(Saving(trainer.State, validation));
        }
        else
        {
            snapshot ??= new StateSnapshot(trainer.State);
            snapshot.Copy(trainer.State.Average);
            writing = (trainer.StepsDone, Task.Run(Saving(snapshot.State, validation)));
        }

        waited += clock.Elapsed.TotalSeconds;
    }

    /// <summary>Waits for the save that is running, if one is, and says what became of it.</summary>
    private void Settle()
    {
        if (writing is not (var step, { } result))
        {
            return;
        }

        var clock = Stopwatch.StartNew();
        writing = null;
        Take(step, () => result.GetAwaiter().GetResult());
        waited += clock.Elapsed.TotalSeconds;
    }

    private void Write(Func<SavedStep> save) => Take(trainer.StepsDone, save);

    private void Take(int step, Func<SavedStep> save)
    {
        try
        {
            var saved = save();
            if (saved.Checkpoint.IsFinite || newest is null || step == trainer.StepsDone)
            {
                newest = saved;
            }

            seconds.Add(saved.Seconds);
            tell(new RunEvent.Saved(saved));
        }
        catch (Exception e) when (e is UserErrorException or OutOfMemoryException)
        {
            failure = Failures.Sentences(e)[0];
            failed++;
            tell(new RunEvent.SaveFailed(step, failure));
        }
    }

    private Func<SavedStep> Saving(TrainingState state, double? validation)
    {
        var settings = new OrderedDictionary<string, string>(begun.Settings)
        {
            [SavedSettings.TrainedTokens] = tokens.ToString(CultureInfo.InvariantCulture),
            [SavedSettings.TrainedSeconds] = trained.ToString("0.000", CultureInfo.InvariantCulture),
            [SavedSettings.DataPosition] = Position,
        };
        foreach (var (name, value) in Watch.Saved)
        {
            settings[name] = value;
        }

        var progress = begun with { Step = trainer.StepsDone, Skipped = trainer.StepsSkipped, Settings = settings };
        return () =>
        {
            var clock = Stopwatch.StartNew();
            var saved = store.Save(state, progress, validation);
            return new SavedStep(progress.Step, store.Folder, saved, clock.Elapsed.TotalSeconds);
        };
    }
}
