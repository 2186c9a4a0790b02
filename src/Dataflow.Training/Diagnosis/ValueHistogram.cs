namespace Dataflow.Training;

/// <summary>
/// How values are spread: buckets whose limits grow by a factor of 1.2 from 1e-12, on both sides of zero. Values that are not finite are
/// counted by no bucket and left out of the sums.
/// </summary>
public sealed class ValueHistogram
{
    private const double Smallest = 1e-12, Factor = 1.2;
    private const int Positive = 400;
    private static readonly double s_perFactor = 1 / Math.Log(Factor);
    private readonly double[] counts = new double[(2 * Positive) + 1];

    /// <summary>The least of them; 0 where there is none.</summary>
    public double Least { get; private set; }

    /// <summary>The largest; 0 where there is none.</summary>
    public double Most { get; private set; }

    /// <summary>How many there are, each as often as it stands for.</summary>
    public double Count { get; private set; }

    /// <summary>Their sum.</summary>
    public double Sum { get; private set; }

    /// <summary>The sum of their squares.</summary>
    public double SumOfSquares { get; private set; }

    /// <summary>From the first bucket with a value to the last: what values are at most, and how many are above the limit before.</summary>
    public IReadOnlyList<(double Limit, double Count)> Buckets
    {
        get
        {
            int first = Array.FindIndex(counts, c => c > 0), last = Array.FindLastIndex(counts, c => c > 0);
            return first < 0 ? [(0, 0)]
                // The bucket before the first says where that begins.
                : [.. Enumerable.Range(Math.Max(0, first - 1), last - Math.Max(0, first - 1) + 1).Select(i => (LimitOf(i), counts[i]))];
        }
    }

    /// <summary>Adds values.</summary>
    /// <param name="values">Of one tensor.</param>
    /// <param name="each">How many elements each of them stands for.</param>
    public void Add(ReadOnlySpan<float> values, double each = 1)
    {
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
            {
                continue;
            }

            (Least, Most) = Count == 0 ? (value, value) : (Math.Min(Least, value), Math.Max(Most, value));
            Count += each;
            Sum += value * each;
            SumOfSquares += (double)value * value * each;
            counts[IndexOf(value)] += each;
        }
    }

    private static int IndexOf(float value)
    {
        double size = Math.Abs((double)value);
        if (size <= Smallest)
        {
            return Positive;
        }

        // The bucket whose limit is the first that is not below the value; below zero limits are nearer to it.
        double at = Math.Log(size / Smallest) * s_perFactor;
        return value > 0
            ? Positive + Math.Min(Positive, (int)Math.Ceiling(at))
            : Positive - Math.Min(Positive, (int)Math.Floor(at) + 1) + 0;
    }

    private static double LimitOf(int index) =>
        index >= Positive ? Smallest * Math.Pow(Factor, index - Positive) : -Smallest * Math.Pow(Factor, Positive - index - 1);
}
