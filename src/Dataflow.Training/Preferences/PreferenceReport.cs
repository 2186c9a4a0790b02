namespace Dataflow.Training;

/// <summary>What the pairs of a step, or of data, came to, before the update; means over pairs.</summary>
/// <param name="Pairs">How many there are.</param>
/// <param name="Loss">Of the pairs, with the share of the negative log-likelihood.</param>
/// <param name="RewardChosen">Beta times the log-ratio of policy and reference, of the chosen answer.</param>
/// <param name="RewardRejected">The same of the rejected one.</param>
/// <param name="Accuracy">The share of pairs whose chosen answer has the larger reward.</param>
/// <param name="LogChosen">The policy's log-probability of the chosen answer, summed over its tokens.</param>
/// <param name="LogRejected">The same of the rejected one.</param>
public readonly record struct PreferenceReport(
    int Pairs,
    double Loss,
    double RewardChosen,
    double RewardRejected,
    double Accuracy,
    double LogChosen,
    double LogRejected
)
{
    /// <summary>By how much the reward of the chosen answer is the larger one.</summary>
    public double Margin => RewardChosen - RewardRejected;

    /// <summary>Both together.</summary>
    public PreferenceReport With(PreferenceReport other)
    {
        double all = Pairs + other.Pairs;
        double mine = all == 0 ? 0 : Pairs / all, its = all == 0 ? 0 : other.Pairs / all;
        return new(
            Pairs + other.Pairs,
            (mine * Loss) + (its * other.Loss),
            (mine * RewardChosen) + (its * other.RewardChosen),
            (mine * RewardRejected) + (its * other.RewardRejected),
            (mine * Accuracy) + (its * other.Accuracy),
            (mine * LogChosen) + (its * other.LogChosen),
            (mine * LogRejected) + (its * other.LogRejected)
        );
    }
}
