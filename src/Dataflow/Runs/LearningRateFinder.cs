using System.Globalization;
using System.Text;
using Dataflow.Model;
using Dataflow.Reports.Pages;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Range tests: short runs whose learning rate rises, to find one to train with.</summary>
public static class LearningRateFinder
{
    /// <summary>
    /// Tests. The run's steps are the test's; it ends early, and well, where the loss explodes or is no finite number. The same model,
    /// data and geometry give the same result whatever the budgets are. Nothing of it is kept but the page that
    /// <see cref="TrainingOptions.Page"/> names (the curve of the loss over the rate), and what <see cref="TrainingOptions.Export"/> and
    /// <see cref="TrainingOptions.Trace"/> ask for.
    /// </summary>
    /// <param name="options">What is to be trained, on what, and where; without schedule, warm-up, validation and checkpoints.</param>
    /// <param name="range">The rates; the optimizer's own rate has no part in it.</param>
    /// <param name="tell">Told of what happens, by the run's thread.</param>
    /// <param name="stop">Cancelled: the step that is running is the last, and the result is what was seen until then.</param>
    /// <exception cref="UserErrorException">Something given cannot be used, or the weights as they were loaded have no finite
    /// loss.</exception>
    /// <exception cref="MachineException">This machine lacks what it takes.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    /// <exception cref="RunFailedException">Something could not be written.</exception>
    public static RangeTestResult Find(
        TrainingOptions options,
        RateRange range,
        Action<RunEvent>? tell = null,
        CancellationToken stop = default
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        range.Checked();
        using var page = options.Page is { } path ? AtomicFile.Create(path) : null;
        var test = new RangeTest(range, options.Steps);
        var failures = new List<string>();
        void Listen(RunEvent happened)
        {
            if (happened is RunEvent.Failed failed)
            {
                failures.Add(failed.What);
            }

            tell?.Invoke(happened);
        }

        using var run = TrainingRun.Prepare(options with { Rising = range, Page = null }, Listen);
        var result = test.Result(Steps(run, test, options.Steps, stop));
        if (page is not null)
        {
            page.Write(Encoding.UTF8.GetBytes(LearningRatePage.Of(Shown(run, options, result))));
            page.Commit();
        }

        // A loss that is no number ends a test well; what could not be written is a failure all the same.
        return failures.Count == 0 ? result : throw new RunFailedException(failures);
    }

    private static RangeTestEnd Steps(TrainingRun run, RangeTest test, int steps, CancellationToken stop)
    {
        int taken = 0;
        try
        {
            foreach (var step in run.Steps(stop))
            {
                taken++;
                if (!test.Take(Written(step.LearningRate), step.Step.Loss))
                {
                    return RangeTestEnd.Exploded;
                }
            }
        }
        catch (DivergedException)
        {
            return RangeTestEnd.NotFinite;
        }

        return taken == steps ? RangeTestEnd.Whole : RangeTestEnd.Interrupted;
    }

    private static LearningRateCurve Shown(TrainingRun run, TrainingOptions options, RangeTestResult result)
    {
        var (workload, geometry) = (run.Plan.Workload, run.Plan.Workload.Geometry);
        return new LearningRateCurve(
            $"Learning rate range test: {ModelSource.NameOf(options.Plan.Model)}",
            [
                string.Create(CultureInfo.InvariantCulture, $"{workload.Optimizer.Name}, {workload.Recipe.Name}"),
                string.Create(CultureInfo.InvariantCulture, $"{geometry.Rows:N0} sequences of {geometry.Seqlen:N0} tokens a step"),
                $"learning rates {result.Range}",
                result.Ending,
            ],
            [.. result.Points.Select(p => new RateLoss(p.Rate, p.Loss, p.Smoothed))],
            result.Suggestion,
            result.Reason
        );
    }

    private static void Check(TrainingOptions options)
    {
        var defaults = new TrainingOptions { Plan = options.Plan };
        var (what, why) = options switch
        {
            { Resumed: not null } => ("--resume", "begins with weights, not with a saved run; name a checkpoint's folder as the model"),
            { Checkpoint: not null } => ("--checkpoint", "is no run to go on with; --export keeps its weights"),
            { Validation: not null } => ("--validation", "looks at the loss of the rows that it trains on"),
            { Corpus.HeldBack: > 0 } => ("--validation-split", "looks at the loss of the rows that it trains on"),
            _ when options.Schedule != defaults.Schedule || options.ScheduleOptions is not null => (
                "--schedule",
                "sets the learning rate of every step itself"
            ),
            _ when options.Warmup != default => ("--warmup", "sets the learning rate of every step itself"),
            _ => default,
        };
        if (what is not null)
        {
            throw new UserErrorException($"{what} is nothing for a range test, which {why}");
        }
    }

    // The rate as the decimal that it is printed as.
    private static double Written(float rate) =>
        double.Parse(rate.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
