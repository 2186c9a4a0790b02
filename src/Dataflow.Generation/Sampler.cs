namespace Dataflow.Generation;

/// <summary>What choosing takes for a moment: samplers that choose one after the other share it.</summary>
/// <param name="vocabulary">Tokens that there are.</param>
public sealed class SamplingScratch(int vocabulary)
{
    /// <summary>[vocabulary], made when it is first wanted.</summary>
    internal int[] Order => field ??= new int[vocabulary];

    /// <summary>[vocabulary], likewise.</summary>
    internal double[] Weights => field ??= new double[vocabulary];

    /// <summary>Tokens that there are.</summary>
    internal int Vocabulary => vocabulary;
}

/// <summary>Chooses the tokens of one sequence, one after the other; for one thread at a time.</summary>
/// <param name="settings">The rules.</param>
/// <param name="sequence">Number of the sequence: each has random numbers of its own.</param>
/// <param name="scratch">Shared with others of the same thread.</param>
public sealed class Sampler(SamplingSettings settings, long sequence, SamplingScratch scratch)
{
    private readonly bool[]? seen = settings.RepetitionPenalty == 1 ? null : new bool[scratch.Vocabulary];
    private ulong drawn;

    /// <summary>The sequence has that token: for the repetition penalty.</summary>
    public void Note(int token)
    {
        if (seen is not null)
        {
            seen[token] = true;
        }
    }

    /// <summary>The next token.</summary>
    /// <param name="logits">[vocabulary]; changed where there is a repetition penalty.</param>
    /// <exception cref="Model.UserErrorException">The logits are no numbers.</exception>
    public int Next(Span<float> logits)
    {
        Penalize(logits);
        int best = Best(logits);
        if (!float.IsFinite(logits[best]))
        {
            throw new Model.UserErrorException(
                "the model's logits are no finite numbers: its weights, or what becomes of them in this number format, are not sound");
        }

        if (settings.Temperature == 0 || settings.TopK == 1)
        {
            return best;
        }

        // From the likeliest down, weights relative to it.
        var (order, weights) = (scratch.Order, scratch.Weights);
        int count = Candidates(logits, logits[best]);
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += weights[i];
        }

        if (settings.TopP < 1)
        {
            double reached = 0;
            for (int i = 0; i < count; i++)
            {
                reached += weights[i];
                if (reached >= settings.TopP * sum)
                {
                    (count, sum) = (i + 1, reached);
                    break;
                }
            }
        }

        double least = settings.MinP * weights[0];
        while (count > 1 && weights[count - 1] < least)
        {
            sum -= weights[--count];
        }

        double at = Draw() * sum;
        for (int i = 0; i < count - 1; i++)
        {
            at -= weights[i];
            if (at < 0)
            {
                return order[i];
            }
        }

        return order[count - 1];
    }

    /// <summary>The first of the largest; what is no number is never chosen.</summary>
    internal static int Best(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] || float.IsNaN(logits[best]) ? i : best;
        }

        return best;
    }

    private void Penalize(Span<float> logits)
    {
        for (int i = 0; seen is not null && i < logits.Length; i++)
        {
            if (seen[i])
            {
                logits[i] = (float)(logits[i] > 0 ? logits[i] / settings.RepetitionPenalty : logits[i] * settings.RepetitionPenalty);
            }
        }
    }

    /// <summary>The tokens that top-k leaves, likeliest first, and their probabilities as shares of the likeliest's.</summary>
    private int Candidates(ReadOnlySpan<float> logits, float largest)
    {
        var (order, weights) = (scratch.Order, scratch.Weights);
        int count = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            double weight = Math.Exp((logits[i] - (double)largest) / settings.Temperature);
            if (weight > 0)
            {
                (order[count], weights[count]) = (i, -weight);
                count++;
            }
        }

        // Equal ones by number.
        Array.Sort(weights, order, 0, count);
        for (int i = 0; i < count; i++)
        {
            weights[i] = -weights[i];
        }

        for (int i = 1, begin = 0; i <= count; i++)
        {
            if (i == count || weights[i] != weights[begin])
            {
                Array.Sort(order, begin, i - begin);
                begin = i;
            }
        }

        return Math.Min(count, settings.TopK ?? count);
    }

    /// <summary>From 0 to below 1: of the seed, the sequence and how many were drawn before.</summary>
    private double Draw() => (Mix(Mix(settings.Seed ^ Mix((ulong)sequence)) + drawn++) >> 11) * (1.0 / (1UL << 53));

    // SplitMix64 (Steele, Lea and Flood, 2014).
    private static ulong Mix(ulong value)
    {
        ulong z = value + 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
