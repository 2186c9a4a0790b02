namespace Dataflow.Training;

/// <summary>A pair of a step: log-probabilities summed over the targets of its documents, of policy and reference.</summary>
/// <param name="Row">The row of the source that it is in.</param>
/// <param name="Document">The preferred document among the row's, from 0; the other follows it.</param>
public readonly record struct PairResult(int Row, int Document)
{
    /// <summary>Of the policy, the preferred document and the other.</summary>
    public (double Chosen, double Rejected) Policy { get; init; }

    /// <summary>Of the reference.</summary>
    public (double Chosen, double Rejected) Reference { get; init; }

    /// <summary>Targets that count in each.</summary>
    public (int Chosen, int Rejected) Targets { get; init; }

    /// <summary>Its loss, without the share of the negative log-likelihood, which is one of all pairs of a step.</summary>
    public double Loss { get; init; }
}
