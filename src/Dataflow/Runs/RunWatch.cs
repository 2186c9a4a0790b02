using System.Globalization;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A run that went back to a checkpoint.</summary>
/// <param name="Step">The step whose loss was a spike.</param>
/// <param name="To">The step of the checkpoint; the next one takes rows behind those of <paramref name="Step"/>.</param>
/// <param name="Loss">Of that step.</param>
/// <param name="Limit">What it was to be at most.</param>
/// <param name="Times">How often the run has gone back, this time included.</param>
public sealed record Rollback(int Step, int To, double Loss, double Limit, int Times);

/// <summary>
/// What a run knows of its own numbers: recent losses, how many steps were skipped last, how often it has gone back. It is stored with each
/// checkpoint, so that a run that is gone on with comes to the same.
/// </summary>
internal sealed class RunWatch
{
    /// <summary>Names under which it is stored; no settings.</summary>
    public const string RecentLosses = "recent-losses", SkippedInARow = "skipped-in-a-row", Rollbacks = "rollbacks";

    private readonly WatchOptions options;
    private readonly StepWatch? groups;
    private LossWindow losses = new();
    private int skipped;
    private int rollbacks;

    /// <param name="options">What is looked for.</param>
    /// <param name="trainer">The run's.</param>
    /// <param name="saved">Of the checkpoint that the run goes on from; null where it begins.</param>
    public RunWatch(WatchOptions options, Trainer trainer, IReadOnlyDictionary<string, string>? saved)
    {
        this.options = options;
        groups = options.Every > 0 ? new StepWatch(trainer) : null;
        if (saved is not null)
        {
            Return(saved);
            rollbacks = Number(saved, Rollbacks);
        }
    }

    /// <summary>What is to be stored.</summary>
    public IEnumerable<KeyValuePair<string, string>> Saved
    {
        get
        {
            if (options.RollbackSpike is not null)
            {
                yield return new(RecentLosses, losses.ToString());
                yield return new(Rollbacks, Text(rollbacks));
            }

            if (skipped > 0)
            {
                yield return new(SkippedInARow, Text(skipped));
            }
        }
    }

    /// <summary>What is stored of a run, with room for what <see cref="Saved"/> adds: a save's size is known before.</summary>
    public static TrainingProgress Longest(TrainingProgress progress, WatchOptions options) =>
        options.RollbackSpike is null
            ? progress
            : progress with
            {
                Settings = new OrderedDictionary<string, string>(progress.Settings)
                {
                    [RecentLosses] = new string('0', LossWindow.LongestText),
                },
            };

    /// <summary>The host memory that watching takes, beside the budgets.</summary>
    public Model.Bytes Memory => groups?.Memory ?? Model.Bytes.Zero;

    /// <summary>Before a step.</summary>
    public void Before(int step)
    {
        if (IsWatched(step))
        {
            groups!.Before();
        }
    }

    /// <summary>After it: its numbers by group, if it is watched.</summary>
    /// <exception cref="DivergedException">Too many steps in a row were skipped.</exception>
    public IReadOnlyList<GroupNumbers>? After(StepReport step)
    {
        if (step.Skipped is null)
        {
            skipped = 0;
            return IsWatched(step.Step) ? groups!.After() : null;
        }

        return ++skipped <= WatchOptions.MostSkipped
            ? null
            : throw new DivergedException(
                $"{skipped} steps in a row were not finite and were skipped; of the last one, step {step.Step}, the first value that is "
                    + $"not finite: {step.Skipped}; try a smaller --lr"
            );
    }

    /// <summary>The loss that a step was to have at most, where it has more; otherwise its loss joins the recent ones.</summary>
    public double? LimitBefore(StepReport step)
    {
        if (options.RollbackSpike is not { } deviations || step.Skipped is not null)
        {
            return null;
        }

        double limit = losses.Limit(deviations);
        if (step.Loss > limit)
        {
            return limit;
        }

        losses.Add(step.Loss);
        return null;
    }

    /// <summary>Counts a spike that the run goes back for.</summary>
    /// <exception cref="DivergedException">It has done so too often.</exception>
    public int CountRollback(StepReport step, double limit) =>
        ++rollbacks <= WatchOptions.MostRollbacks
            ? rollbacks
            : throw new DivergedException(string.Create(CultureInfo.InvariantCulture,
                $"the loss of step {step.Step} is {step.Loss:0.0000}, above {limit:0.0000}, and the run has gone back to a checkpoint "
                    + $"{WatchOptions.MostRollbacks} times already: training diverged; try a smaller --lr"));

    /// <summary>Takes a spike for what it is: there is nothing to go back to.</summary>
    public void Accept(StepReport step) => losses.Add(step.Loss);

    /// <summary>Knows what it knew at a checkpoint, but for how often the run went back.</summary>
    public void Return(IReadOnlyDictionary<string, string> saved) =>
        (losses, skipped) = (new LossWindow(saved.GetValueOrDefault(RecentLosses)), Number(saved, SkippedInARow));

    private bool IsWatched(int step) => groups is not null && step % options.Every == 0;

    private static int Number(IReadOnlyDictionary<string, string> saved, string name) =>
        int.TryParse(saved.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
