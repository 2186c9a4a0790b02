using System.Collections.Immutable;

namespace Dataflow.Model;

/// <summary>How far apart the angles of a layer's positions are: of its rotated dimensions, half as many frequencies.</summary>
/// <param name="Theta">Base of the frequencies; 0 where a layer has no positions.</param>
/// <param name="Scaling">What stretches them for contexts longer than the model was first trained on; null: nothing.</param>
public sealed record RotaryPositions(double Theta, RotaryScaling? Scaling = null)
{
    /// <summary>Of a layer that does not know where a token is.</summary>
    public static RotaryPositions None { get; } = new(0);

    /// <summary>Tokens of a sequence change the frequencies.</summary>
    public bool DependOnLength => Scaling?.Kind is RotaryScalingKind.Dynamic or RotaryScalingKind.LongRope;

    /// <summary>Angles of one position to the next, of each pair of rotated dimensions.</summary>
    /// <param name="dims">Rotated dimensions of a head; even.</param>
    /// <param name="length">Tokens of the sequence, where <see cref="DependOnLength"/>.</param>
    public double[] InverseFrequencies(int dims, long length)
    {
        double theta = Theta;
        if (Scaling is { Kind: RotaryScalingKind.Dynamic } dynamic && length > dynamic.OriginalPositions)
        {
            double grown = (dynamic.Factor * length / dynamic.OriginalPositions) - (dynamic.Factor - 1);
            theta *= Math.Pow(grown, dims / (dims - 2.0));
        }

        double[] plain = new double[dims / 2];
        for (int i = 0; Theta > 0 && i < plain.Length; i++)
        {
            plain[i] = Math.Pow(theta, -2.0 * i / dims);
        }

        return Scaling is { } scaling ? [.. plain.Select((f, i) => scaling.Scaled(f, i, dims, theta, length))] : plain;
    }

    /// <summary>What cosines and sines are multiplied by, and so scores twice.</summary>
    public double AttentionFactor => Scaling?.AttentionFactor ?? 1;
}

/// <summary>The known ways of stretching rotary positions, by the names that Hugging Face configs give them.</summary>
public enum RotaryScalingKind
{
    /// <summary>Positions are divided by the factor (Chen et al., 2023).</summary>
    Linear,

    /// <summary>The base grows with sequences longer than the model was trained on ("NTK-aware").</summary>
    Dynamic,

    /// <summary>Low frequencies are divided by the factor, high ones kept, with a ramp between (Llama 3.1).</summary>
    Llama3,

    /// <summary>The same with a ramp over dimensions, and an attention factor (Peng et al., 2023).</summary>
    Yarn,

    /// <summary>A factor for each frequency, of two lists: one for short sequences, one for long (Ding et al., 2024).</summary>
    LongRope,

    /// <summary>
    /// Of the pairs of a whole head the first part turns, at frequencies divided by the factor, and the others do not (Gemma 4).
    /// </summary>
    Proportional,
}

/// <summary>What stretches rotary positions. One flat record, so that it is written into keys of plans as it is.</summary>
/// <param name="Kind">Which formula.</param>
/// <param name="Factor">How much longer contexts become.</param>
public sealed record RotaryScaling(RotaryScalingKind Kind, double Factor)
{
    /// <summary>Positions that the model was first trained on.</summary>
    public long OriginalPositions { get; init; }

    /// <summary>Of <see cref="RotaryScalingKind.Llama3"/>: the longest wavelength that is kept is the original length over this.</summary>
    public double HighFrequencyFactor { get; init; }

    /// <summary>Likewise: the shortest wavelength that is stretched whole.</summary>
    public double LowFrequencyFactor { get; init; }

    /// <summary>Of <see cref="RotaryScalingKind.Yarn"/>: turns over the original length from which a frequency is kept.</summary>
    public double BetaFast { get; init; }

    /// <summary>Likewise: turns up to which it is stretched whole.</summary>
    public double BetaSlow { get; init; }

    /// <summary>Likewise: the ramp begins and ends at whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>Of <see cref="RotaryScalingKind.Proportional"/>: the part of a head's pairs that is turned.</summary>
    public double Part { get; init; } = 1;

    /// <summary>Of <see cref="RotaryScalingKind.LongRope"/>: a factor a frequency, for sequences up to the original length.</summary>
    public FactorList? ShortFactors { get; init; }

    /// <summary>Likewise, for longer ones.</summary>
    public FactorList? LongFactors { get; init; }

    /// <summary>What cosines and sines are multiplied by.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>Queries are multiplied by 1 + this x ln(1 + floor(position / original length)) (Ministral 3); null: they are not.</summary>
    public double? QueryGrowth { get; init; }

    /// <summary>A frequency as it is used.</summary>
    internal double Scaled(double frequency, int index, int dims, double theta, long length) =>
        Kind switch
        {
            RotaryScalingKind.Linear => frequency / Factor,
            RotaryScalingKind.Llama3 => Llama3(frequency),
            RotaryScalingKind.Yarn => Yarn(frequency, index, dims, theta),
            RotaryScalingKind.LongRope => frequency / (length > OriginalPositions ? LongFactors! : ShortFactors!).Values[index],
            RotaryScalingKind.Proportional => index < Math.Floor(Part * dims / 2) ? frequency / Factor : 0,
            _ => frequency,
        };

    private double Llama3(double frequency)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < OriginalPositions / HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > OriginalPositions / LowFrequencyFactor)
        {
            return frequency / Factor;
        }

        double kept = ((OriginalPositions / wavelength) - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        return ((1 - kept) * frequency / Factor) + (kept * frequency);
    }

    private double Yarn(double frequency, int index, int dims, double theta)
    {
        double DimensionOf(double turns) => dims * Math.Log(OriginalPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
        var (low, high) = (DimensionOf(BetaFast), DimensionOf(BetaSlow));
        (low, high) = Truncate ? (Math.Floor(low), Math.Ceiling(high)) : (low, high);
        (low, high) = (Math.Max(low, 0), Math.Min(high, dims - 1));
        double stretched = Math.Clamp((index - low) / (high == low ? 0.001 : high - low), 0, 1);
        return (frequency / Factor * stretched) + (frequency * (1 - stretched));
    }
}

/// <summary>A list of numbers that is compared by its values.</summary>
/// <param name="Values">In order.</param>
public sealed record FactorList(ImmutableArray<double> Values)
{
    /// <inheritdoc/>
    public bool Equals(FactorList? other) => other is not null && Values.AsSpan().SequenceEqual(other.Values.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Values.Aggregate(0, HashCode.Combine);
}
