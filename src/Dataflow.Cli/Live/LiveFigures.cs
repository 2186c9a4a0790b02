using Dataflow.Planning;

namespace Dataflow.Cli;

/// <summary>What a live view knows of a run: its plan, and of its steps what came last.</summary>
internal sealed class LiveFigures
{
    /// <summary>Steps whose losses are kept.</summary>
    public const int MostLosses = 400;

    private const int MostDurations = 32;
    private readonly Queue<double> durations = [];
    private readonly Queue<double> losses = [];

    /// <summary>What runs; null before it is planned.</summary>
    public TrainingPlan? Plan { get; private set; }

    /// <summary>The last step; null before the first.</summary>
    public StepResult? Last { get; private set; }

    /// <summary>The last step that was looked at more closely.</summary>
    public StepSample? Sample { get; private set; }

    /// <summary>The last loss on other data.</summary>
    public (int Step, double Loss)? Validation { get; private set; }

    /// <summary>The last norm of gradients.</summary>
    public double? Norm { get; private set; }

    /// <summary>Losses of the last steps, the oldest first.</summary>
    public IReadOnlyCollection<double> Losses => losses;

    /// <summary>The time that the steps to come take if they take as long as the last ones; null before there are any.</summary>
    public TimeSpan? Left => Last is { } last && durations.Count > 0
        ? TimeSpan.FromSeconds((last.Steps - last.Step.Step) * durations.Order().ElementAt(durations.Count / 2))
        : null;

    /// <summary>Takes what the run tells.</summary>
    public void Take(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Planned { Result: PlanResult.Feasible { Plan: var plan } }:
                Plan = plan;
                break;
            case RunEvent.Stepped { Step: var line }:
                Last = line;
                Sample = line.Sample ?? Sample;
                Norm = line.Step.GradientNorm ?? Norm;
                Validation = line.Validation is { } held ? (line.Step.Step, held.Loss) : Validation;
                Add(durations, line.Step.Duration.TotalSeconds, MostDurations);
                if (line.Step.Skipped is null && double.IsFinite(line.Step.Loss))
                {
                    Add(losses, line.Step.Loss, MostLosses);
                }

                break;
        }
    }

    private static void Add(Queue<double> values, double value, int most)
    {
        values.Enqueue(value);
        if (values.Count > most)
        {
            values.Dequeue();
        }
    }
}
