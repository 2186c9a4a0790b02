namespace Dataflow.Model;

/// <summary>What of a token's logits its experts are chosen by, and weighted by.</summary>
public enum RouterScore
{
    /// <summary>Their softmax over all experts.</summary>
    Softmax,

    /// <summary>The logistic function of each (DeepSeek-V3).</summary>
    Sigmoid,
}

/// <summary>
/// A sparse feed-forward: each token is computed by a few of many experts, gated units of one width, and their results are added, each
/// times the weight that the router gives it. No token is dropped: a chunk of T tokens has T x <see cref="PerToken"/> rows, whatever is
/// chosen. On a tie the expert of the lower index is chosen.
/// </summary>
/// <param name="Count">Experts E.</param>
/// <param name="PerToken">Experts of a token, K.</param>
/// <param name="Dim">Width F of an expert.</param>
public sealed record ExpertMixture(int Count, int PerToken, int Dim)
{
    /// <summary>What scores are of the router's logits.</summary>
    public RouterScore Score { get; init; }

    /// <summary>The weights of a token's experts are divided by their sum: with softmax, it is over these experts alone.</summary>
    public bool Normalised { get; init; }

    /// <summary>Weights are then multiplied by this.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>A number for each expert, which no gradient changes, is added to its score where experts are chosen.</summary>
    public bool Corrected { get; init; }

    /// <summary>
    /// Experts lie in so many runs of equal length, of which a token has those of the best few: a run counts by its best expert, or, where
    /// scores are logistic functions, by the sum of its two best, corrections included.
    /// </summary>
    public int Groups { get; init; } = 1;

    /// <summary>How many of these runs.</summary>
    public int GroupsPerToken { get; init; } = 1;

    /// <summary>The expert that every token has counts by the logistic function of one more logit of the router.</summary>
    public bool GatesShared { get; init; }

    /// <summary>
    /// They stand beside the dense feed-forward rather than in its place: with norms of their own before and after them, as the dense one
    /// has, and a router that reads the normed stream and whose weights are multiplied by a number of each expert's (Gemma 4).
    /// </summary>
    public bool Beside { get; init; }

    /// <summary>The router and both products of an expert have biases; an expert's are added before its result is weighted.</summary>
    public bool HasBiases { get; init; }

    /// <summary>Rows of the router's matrix.</summary>
    public int RouterRows => Count + (GatesShared ? 1 : 0);
}
