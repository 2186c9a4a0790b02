namespace Dataflow.Model;

/// <summary>
/// What a step knows of its pairs, all of it fp64: for each round <see cref="Header"/> numbers that say which loss it is, and then
/// <see cref="PerSequence"/> for each document, of which 2 p is the preferred one of pair p and 2 p + 1 the other.
/// <code>
/// header:   form (0 logistic, 1 squared, 2 hinge), beta, a, b, share, 0, 0, 0
/// document: scale, offset, sum of the log-probabilities of its targets
/// z = scale sum + offset of the preferred, less that of the other
/// logistic: f = -a log s(beta z) - b log s(-beta z)     squared: f = (z - 1 / (2 beta))^2     hinge: f = max(0, 1 - beta z)
/// </code>
/// The weight of a target is -f'(z) scale + share in the preferred document, and f'(z) scale in the other. The offset is the scale times
/// the reference's log-probability, negated.
/// </summary>
public static class PairTable
{
    /// <summary>Numbers before those of a round's documents.</summary>
    public const int Header = 8;

    /// <summary>Numbers of a document.</summary>
    public const int PerSequence = 3;

    /// <summary>The sum's place among these.</summary>
    public const int Sum = 2;

    /// <summary>Tokens of the shortest pair: two documents, each with one token before its only target.</summary>
    public const int LeastTokens = 4;

    /// <summary>Documents that a row may have.</summary>
    public static int SequencesOfRow(Geometry geometry) => 2 * (geometry.Seqlen / LeastTokens);

    /// <summary>Documents that a round may have.</summary>
    public static int Sequences(Geometry geometry) => checked(SequencesOfRow(geometry) * geometry.RowsPerRound);

    /// <summary>Numbers of a round.</summary>
    public static int Numbers(Geometry geometry) => checked(Header + (PerSequence * Sequences(geometry)));

    /// <summary>Bytes of a round.</summary>
    public static Bytes Size(Geometry geometry) => new(sizeof(double) * (long)Numbers(geometry));
}
