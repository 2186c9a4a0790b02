using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A run that is over.</summary>
public sealed record RunSummary(TrainingPlan Plan)
{
    /// <summary>Steps of this run; those before it was resumed are not in it, nor in the sums.</summary>
    public int Steps { get; init; }

    /// <summary>How many of them were skipped, as they were not finite.</summary>
    public int Skipped { get; init; }

    /// <summary>How often this run went back to a checkpoint.</summary>
    public int Rollbacks { get; init; }

    /// <summary>Of the first of them that was not skipped; NaN where all were.</summary>
    public double FirstLoss { get; init; } = double.NaN;

    /// <summary>Of the last of them that was not skipped; NaN where all were.</summary>
    public double LastLoss { get; init; } = double.NaN;

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; init; }

    /// <summary>Time in steps; loading, planning and saving are not in it.</summary>
    public double Seconds { get; init; }

    /// <summary>Model FLOPs.</summary>
    public double Flops { get; init; }

    /// <summary>Where the weights were exported to; null if they were not.</summary>
    public string? Exported { get; init; }

    /// <summary>What became of the checkpoints; null if there were to be none.</summary>
    public SavesDone? Saves { get; init; }

    /// <summary>Steps of the runs before, which this one goes on with; 0 if it began.</summary>
    public int StepsBefore { get; init; }

    /// <summary>Their tokens.</summary>
    public long TokensBefore { get; init; }

    /// <summary>Their time in steps.</summary>
    public double SecondsBefore { get; init; }

    /// <summary>Steps of all runs; of this one also those that it went back from to a checkpoint.</summary>
    public int AllSteps => StepsBefore + Steps;

    /// <summary>Tokens of all runs.</summary>
    public long AllTokens => TokensBefore + Tokens;

    /// <summary>Time in steps of all runs.</summary>
    public double AllSeconds => SecondsBefore + Seconds;

    /// <summary>With one step more.</summary>
    public RunSummary And(StepReport step, double flops) => this with
    {
        Steps = Steps + 1,
        Skipped = Skipped + (step.Skipped is null ? 0 : 1),
        FirstLoss = step.Skipped is null && double.IsNaN(FirstLoss) ? step.Loss : FirstLoss,
        LastLoss = step.Skipped is null ? step.Loss : LastLoss,
        Tokens = Tokens + step.Tokens,
        Seconds = Seconds + step.Duration.TotalSeconds,
        Flops = Flops + flops,
    };

    /// <summary>What the simulator said; null where the machine has no profile.</summary>
    public Prediction? Predicted { get; init; }

    /// <summary>Median of the steps after the first, which finds cold caches; 0 if there is none.</summary>
    public double MeasuredSeconds { get; init; }

    /// <summary>The median of all but the first.</summary>
    public static double TypicalStep(IEnumerable<double> seconds)
    {
        double[] warm = [.. seconds.Skip(1).Order()];
        return warm.Length == 0 ? 0 : (warm[warm.Length / 2] + warm[(warm.Length - 1) / 2]) / 2;
    }

    /// <summary>What the run took of the GPU's memory as the driver counts it; null on the CPU.</summary>
    public Bytes? DeviceTaken { get; init; }

    /// <summary>The last step that was measured for a trace or a page; null where none was.</summary>
    public Timeline? Traced { get; init; }

    /// <summary>The trace that was written; null if none was.</summary>
    public string? Trace { get; init; }

    /// <summary>The page that was written; null if none was.</summary>
    public string? Page { get; init; }

    /// <summary>Mean over all steps.</summary>
    public double TokensPerSecond => Tokens / Seconds;
}
