namespace Dataflow.Model;

/// <content>The load-balancing loss of mixtures.</content>
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
}
