using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Dataflow.Model;

/// <summary>
/// How rotary positions turn a head (Su et al., 2021): the pair (i, i + head_dim / 2) by position times its frequency, sine and cosine
/// then multiplied by the factor. Tables are equal when their numbers are.
/// </summary>
/// <param name="InverseFrequencies">Radians a position of each of the head_dim / 2 pairs; 0 leaves a pair as it is.</param>
/// <param name="Factor">Multiplies what turns, and nothing else: a pair of frequency 0 has cosine 1 and sine 0 whatever it is.</param>
public sealed record RotaryTable(ImmutableArray<double> InverseFrequencies, double Factor = 1)
{
    private static readonly ConditionalWeakTable<ModelConfig, ConcurrentDictionary<(RotaryPositions, int), RotaryTable>> s_ofModels = [];

    /// <summary>That of a model's layers, made once a model and kind of positions: programs are listed often.</summary>
    /// <param name="model">Whose heads are turned.</param>
    /// <param name="kind">Of layers; where documents' lengths change frequencies, these are of short ones.</param>
    public static RotaryTable Of(ModelConfig model, LayerKind kind) =>
        s_ofModels
            .GetValue(model, static _ => [])
            .GetOrAdd((model.PositionsOf(kind), model.HeadsOf(kind).HeadDim), static (of, m) => Of(m, of.Item1, of.Item2), model);

    private static RotaryTable Of(ModelConfig model, RotaryPositions positions, int headDim)
    {
        double[] pairs = new double[headDim / 2];
        RotarySets.Fill(model, positions, length: 0, pairs);
        return new([.. pairs], positions.AttentionFactor);
    }

    /// <summary>Of narrower heads: so many of the first pairs.</summary>
    public RotaryTable First(int pairs) => this with { InverseFrequencies = InverseFrequencies[..pairs] };

    /// <summary>theta^(-2i / head_dim), all pairs turned.</summary>
    public static RotaryTable Plain(double theta, int headDim) =>
        new([.. new RotaryPositions(theta).InverseFrequencies(headDim, length: 0)]);

    /// <inheritdoc/>
    public bool Equals(RotaryTable? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && Factor.Equals(other.Factor)
            && InverseFrequencies.AsSpan().SequenceEqual(other.InverseFrequencies.AsSpan()));

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Factor);
        foreach (double frequency in InverseFrequencies)
        {
            hash.Add(frequency);
        }

        return hash.ToHashCode();
    }
}
