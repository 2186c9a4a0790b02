using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What a run looks for in its own numbers, and what it does then.</summary>
public sealed record WatchOptions
{
    /// <summary>Steps in a row that may be skipped; one more ends the run.</summary>
    public const int MostSkipped = 10;

    /// <summary>How often a run may go back to a checkpoint; the next spike ends it.</summary>
    public const int MostRollbacks = 3;

    /// <summary>What becomes of a step whose loss or gradients are not finite. To skip it takes a clip, which makes all gradients known
    /// before the first update.</summary>
    public NonFiniteSteps OnNonFinite { get; init; }

    /// <summary>
    /// Every so many steps, the norm of gradients and the ratio of update to weight of each group of weights; 0: never. It takes a clip,
    /// too.
    /// </summary>
    public int Every { get; init; }

    /// <summary>
    /// By how many robust deviations a loss may be above the recent ones before the run goes back to its last checkpoint and on behind the
    /// data that it had come to; null: it never goes back. It takes checkpoints every so many steps. <see cref="LossWindow"/> has the rule.
    /// </summary>
    public float? RollbackSpike { get; init; }

    /// <summary>Refuses what cannot act in a run.</summary>
    /// <exception cref="UserErrorException">Something that it needs was not given.</exception>
    internal void Check(TrainingOptions run)
    {
        string? needsClip =
            OnNonFinite == NonFiniteSteps.Skip ? "--on-non-finite skip" : Every > 0 ? "--watch" : null;
        if (needsClip is not null && run.Plan.Clip is null)
        {
            throw new UserErrorException(
                $"{needsClip} needs --clip, whose steps know all gradients before the first update; give --clip 1, or --clip 1e30, which "
                    + "clips nothing"
            );
        }

        if (RollbackSpike is not null && run.Saves is not { Every: > 0 })
        {
            throw new UserErrorException(
                "--rollback-spike goes back to a checkpoint, and this run saves none on its way; give --checkpoint DIR and "
                    + "--checkpoint-every N too"
            );
        }
    }
}
