namespace Dataflow.Model;

/// <content>The losses of the routers of mixtures: how evenly experts are loaded, and how large logits are.</content>
public sealed partial record ModelConfig
{
    /// <summary>
    /// By what the load-balancing loss of the mixtures counts beside that of the targets, as the model's file says; 0: there is none.
    /// </summary>
    public double BalanceWeight { get; init; }

    /// <summary>What a run asks for in its place; null: nothing.</summary>
    public double? AskedBalanceWeight { get; init; }

    /// <summary>By what it counts.</summary>
    public double BalanceShare => AskedBalanceWeight ?? BalanceWeight;

    /// <summary>The same, whose load-balancing loss counts so much, whatever its file says.</summary>
    /// <param name="weight">0: there is none; null: as the file says.</param>
    /// <exception cref="UserErrorException">It has no experts, or none of a kind that it is for.</exception>
    public ModelConfig Balancing(double? weight)
    {
        if (weight > 0 && !HasExperts)
        {
            throw new UserErrorException($"--router-balance: {Name} has no experts whose load could be balanced; leave it out");
        }

        var experts = weight > 0 ? Pattern!.Kinds.Select(k => k.Experts).OfType<ExpertMixture>().ToList() : [];
        if (experts.Exists(e => e.Score == RouterScore.Sigmoid))
        {
            throw new UserErrorException(
                $"--router-balance: the load-balancing loss is of a softmax over experts, and those of {Name} are scored by logistic "
                    + "functions; leave it out");
        }

        if (experts.DistinctBy(e => e.Count).Count() > 1)
        {
            throw new UserErrorException(
                $"--router-balance: the load-balancing loss is over layers of as many experts each, which those of {Name} have not; leave "
                    + "it out");
        }

        return weight is null ? this : this with { AskedBalanceWeight = weight };
    }

    /// <summary>There is a load-balancing loss.</summary>
    public bool Balances => BalanceShare > 0;

    /// <summary>
    /// By what the router z-loss counts beside the loss of the targets (ST-MoE, arXiv:2202.08906, equation 5): the square of the logsumexp
    /// of a token's logits over all experts, its mean over tokens, summed over sparse layers; 0: there is none. A run asks for it.
    /// </summary>
    public double RouterZWeight { get; init; }

    /// <summary>The same with a router z-loss that counts so much.</summary>
    /// <param name="weight">0, or null: there is none.</param>
    /// <exception cref="UserErrorException">It has no experts, or not as many in each sparse layer.</exception>
    public ModelConfig WithRouterZLoss(double? weight)
    {
        if (weight > 0 && !HasExperts)
        {
            throw new UserErrorException($"--router-z-loss: {Name} has no router whose logits could be kept small; leave it out");
        }

        if (weight > 0 && Pattern!.Kinds.Select(k => k.Experts).OfType<ExpertMixture>().DistinctBy(e => e.Count).Count() > 1)
        {
            throw new UserErrorException(
                $"--router-z-loss: the router z-loss is over layers of as many experts each, which those of {Name} have not; leave it out");
        }

        return this with { RouterZWeight = weight ?? 0 };
    }

    /// <summary>Its routers have losses of their own.</summary>
    public bool HasRouterLosses => Balances || RouterZWeight > 0;

    /// <summary>
    /// [rows, E] fp32 is what a round's routers add up: how often experts were chosen, their probabilities, and, where there is a router
    /// z-loss, a row that begins with the sum of squares.
    /// </summary>
    public int LoadRows => RouterZWeight > 0 ? 3 : 2;

    /// <summary>Its bytes; 0 where nothing is added up.</summary>
    public Bytes LoadSize => HasRouterLosses ? new Bytes((long)LoadRows * BalancedExperts * sizeof(float)) : Bytes.Zero;

    /// <summary>Experts of its sparse layers, which all have as many; 0 where it has none.</summary>
    public int BalancedExperts => Pattern?.Kinds.FirstOrDefault(k => k.Experts is not null)?.Experts?.Count ?? 0;

    /// <summary>
    /// By what the sum over experts of count times sum of probabilities counts in the loss of a step: weight x E / R^2, R being the rows
    /// of a round in all sparse layers; of several rounds the mean of their losses.
    /// </summary>
    public double BalanceFactor(Geometry geometry)
    {
        double rows = (double)Kinds.Count(k => k.Experts is not null) * geometry.ChunkTokens * geometry.ChunksPerRound;
        return BalanceShare * BalancedExperts / (rows * rows * geometry.Rounds);
    }

    /// <summary>
    /// By what a token's square in one layer counts in the loss of a step. Rounds have as many tokens each, so that the mean of their
    /// losses is that over all tokens of the step.
    /// </summary>
    public double RouterZFactor(Geometry geometry) =>
        RouterZWeight / ((double)geometry.ChunkTokens * geometry.ChunksPerRound * geometry.Rounds);
}
