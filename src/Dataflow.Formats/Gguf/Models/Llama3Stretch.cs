using Dataflow.Model;

namespace Dataflow.Formats;

/// <summary>
/// Positions stretched as Llama 3's. A file has only what each frequency is divided by, a config the four numbers that it follows from.
/// </summary>
internal static class Llama3Stretch
{
    private const double Tolerance = 2e-6;

    /// <summary>What each frequency is divided by.</summary>
    public static float[] Of(RotaryScaling scaling, double theta, int headDim)
    {
        double[] plain = new RotaryPositions(theta).InverseFrequencies(headDim, 0);
        double[] scaled = new RotaryPositions(theta, scaling).InverseFrequencies(headDim, 0);
        return [.. plain.Zip(scaled, (p, s) => (float)(p / s))];
    }

    /// <summary>
    /// Numbers that give these factors; null if none do. Those of a ramp are linear in the frequency, from 1 at original length / high
    /// factor to the whole factor at original length / low factor: two of them say both lengths. Any three numbers with these quotients are
    /// the same mathematics, and those are taken that published models have, or else a low factor of 1.
    /// </summary>
    /// <param name="factors">One a frequency.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="headDim">All are turned.</param>
    /// <param name="context">Of the file; the original length is often a quotient of it.</param>
    public static RotaryScaling? Find(IReadOnlyList<float> factors, double theta, int headDim, int context)
    {
        if (factors.Count != headDim / 2 || factors.Any(f => !float.IsFinite(f) || f < 1))
        {
            return null;
        }

        double factor = factors.Max();
        if (factor == 1)
        {
            return null;
        }

        long quotient = (long)Math.Round(context / factor);
        foreach (long original in new[] { 8192, quotient }.Where(o => o > 0))
        {
            var usual = Scaling(factor, 1, 4, original);
            if (Fits(usual))
            {
                return usual;
            }
        }

        return Fitted() is { } fitted && Fits(fitted) ? fitted : null;

        bool Fits(RotaryScaling scaling) =>
            Of(scaling, theta, headDim).Zip(factors).All(f => Math.Abs(f.First - f.Second) <= Tolerance * f.Second);

        // kept = (original / wavelength - low) / (high - low), and 1 / f = (1 - kept) / factor + kept.
        RotaryScaling? Fitted()
        {
            double[] frequencies = new RotaryPositions(theta).InverseFrequencies(headDim, 0);
            var ramp = Enumerable.Range(0, factors.Count)
                .Where(i => factors[i] > 1 && factors[i] < factor)
                .Select(i => (X: frequencies[i] / (2 * Math.PI), Kept: ((1 / (double)factors[i]) - (1 / factor)) / (1 - (1 / factor))))
                .ToList();
            if (ramp.Count < 2)
            {
                return null;
            }

            double slope = (ramp[0].Kept - ramp[^1].Kept) / (ramp[0].X - ramp[^1].X);
            double below = (slope * ramp[0].X) - ramp[0].Kept; // low / (high - low)
            double range = 1 / below;
            return below > 0 && slope > 0 ? Scaling(factor, 1, Rounded(1 + range), (long)Math.Round(slope * range)) : null;
        }
    }

    private static RotaryScaling Scaling(double factor, double low, double high, long original) =>
        new(RotaryScalingKind.Llama3, factor)
        {
            LowFrequencyFactor = low, HighFrequencyFactor = high, OriginalPositions = original,
        };

    private static double Rounded(double value) => Math.Round(value, 4);
}
