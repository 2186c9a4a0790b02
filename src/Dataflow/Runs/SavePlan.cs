using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What saving a run will take.</summary>
/// <param name="Settings">Where and when it is saved.</param>
/// <param name="Each">Bytes of a checkpoint, exactly.</param>
/// <param name="Seconds">Of a save, by the rate at which the disk took a sample.</param>
/// <param name="BytesPerSecond">That rate.</param>
/// <param name="Snapshot">Host memory, beyond the budgets, of a copy that is written while training goes on; null where checkpoints are
/// written between two steps.</param>
public sealed record SavePlan(CheckpointSettings Settings, Bytes Each, double Seconds, double BytesPerSecond, Bytes? Snapshot)
{
    /// <summary>A copy may take so much of what the machine has free beside the run's own memory.</summary>
    private const int ShareOfFree = 2;

    /// <summary>Plans the saves of a run.</summary>
    /// <param name="settings">Where and when.</param>
    /// <param name="plan">Of the run.</param>
    /// <param name="progress">As it will be stored, but for the numbers.</param>
    /// <param name="free">Host memory that the run leaves free.</param>
    /// <exception cref="UserErrorException">The folder cannot be written to.</exception>
    internal static SavePlan For(CheckpointSettings settings, TrainingPlan plan, TrainingProgress progress, Bytes free)
    {
        var (model, recipe) = (plan.Workload.Model, plan.Workload.Recipe);
        var each = CheckpointStore.BytesOf(model, recipe, progress);
        double rate = DiskRate.Measure(settings.Folder, each);
        var copy = StateSnapshot.LengthOf(model, recipe, plan.Workload.Optimizer);
        return new SavePlan(settings, each, each.Value / rate, rate, copy.Value <= free.Value / ShareOfFree ? copy : null);
    }

    /// <summary>
    /// The most that checkpoints will take of the disk beside those that are there: the kept ones, and the one that is being written.
    /// </summary>
    /// <param name="steps">Steps to do.</param>
    /// <param name="there">Checkpoints that are in the folder.</param>
    /// <param name="best">Whether the best by validation is kept besides.</param>
    internal DiskNeed Room(int steps, int there, bool best)
    {
        long saves = Settings.Every > 0 ? (steps + Settings.Every - 1L) / Settings.Every : 1;
        long most = Math.Min(saves, Math.Max(1, Settings.Keep + (best ? 1L : 0) + 1 - there));
        return new DiskNeed(Settings.Folder, $"{most} checkpoint{(most == 1 ? "" : "s")} of {Each}", Each * most);
    }

    /// <summary>What is not going to be in time after a signal; null if all is.</summary>
    /// <param name="step">Predicted seconds of a step; null where nothing is predicted.</param>
    public string? BeyondGrace(double? step) =>
        Seconds + (step ?? 0) <= Settings.GraceSeconds
            ? null
            : $"after a signal, {(step is { } s ? $"the step that is running ({s:0.0} s) and " : "")}a save ({Seconds:0.0} s) are "
                + $"predicted to take longer than the {Settings.GraceSeconds} s of --grace: "
                + "let the scheduler wait longer before it kills the run, and give that as --grace";
}
