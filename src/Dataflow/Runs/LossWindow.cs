using System.Globalization;

namespace Dataflow;

/// <summary>
/// The losses of the last 50 steps, and whether another one is a spike beside them: with their median m and s = 1.4826 times the median of
/// their distances from m (of normal numbers that is the standard deviation), a loss above m + d max(s, m / 100) is one, d being what was
/// given. Neither trends nor earlier spikes move m or s much. Of fewer than 20 losses nothing is said.
/// </summary>
internal sealed class LossWindow
{
    /// <summary>The most characters of <see cref="ToString"/>.</summary>
    public const int LongestText = Most * 25;

    private const int Most = 50;
    private const int Least = 20;
    private const double NormalDeviation = 1.4826;
    private const double LeastShare = 0.01;
    private readonly List<double> losses = [];

    /// <summary>Reads what <see cref="ToString"/> gave; nothing: no losses.</summary>
    public LossWindow(string? text = null)
    {
        foreach (string loss in text?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [])
        {
            losses.Add(double.Parse(loss, CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Adds that of a step.</summary>
    public void Add(double loss)
    {
        losses.Add(loss);
        losses.RemoveRange(0, Math.Max(0, losses.Count - Most));
    }

    /// <summary>The loss above which another is a spike; infinity where there are too few to tell.</summary>
    /// <param name="deviations">How many robust deviations it may be above the median.</param>
    public double Limit(double deviations)
    {
        if (losses.Count < Least)
        {
            return double.PositiveInfinity;
        }

        double middle = Median(losses);
        double deviation = NormalDeviation * Median(losses.Select(l => Math.Abs(l - middle)));
        return middle + (deviations * Math.Max(deviation, LeastShare * Math.Abs(middle)));
    }

    /// <summary>All of them, to the bit.</summary>
    public override string ToString() => string.Join(' ', losses.Select(l => l.ToString("R", CultureInfo.InvariantCulture)));

    private static double Median(IEnumerable<double> numbers)
    {
        double[] sorted = [.. numbers.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }
}
