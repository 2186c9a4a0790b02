using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A learning rate range test (Leslie N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2015): the rate rises from step to
/// step, and how the loss answers says which rates train. It suggests a tenth of the rate at which the smoothed loss is least, the rule
/// that fastai's lr_find calls minimum: at the least loss the rate begins to do harm, and a tenth leaves room. Where the loss falls
/// steepest, another rule, is told beside it and not followed: a model that begins with random weights falls steepest at its very
/// first rates, with which it would hardly train.
/// </summary>
/// <param name="range">What it goes through.</param>
/// <param name="steps">In how many steps.</param>
public sealed class RangeTest(RateRange range, int steps)
{
    /// <summary>With fewer steps no curve can be told from noise.</summary>
    public const int FewestSteps = 10;

    // The losses have exploded where the mean of some is so many times the least one, as fastai has it, or the first one.
    private const int Together = 3;
    private const double AboveLeast = 4;
    private const double AboveFirst = 2;

    // The bell's standard deviation as a share of all steps, and where it is cut off, in deviations.
    private const double Width = 0.02;
    private const double Reach = 3;

    private readonly List<(double Rate, double Loss)> taken = [];
    private double first;
    private double least = double.PositiveInfinity;

    /// <summary>Takes a step's loss.</summary>
    /// <param name="rate">Of its update; above those before.</param>
    /// <param name="loss">Finite, in nats.</param>
    /// <returns>Whether the test goes on: false where the losses have exploded.</returns>
    public bool Take(double rate, double loss)
    {
        taken.Add((rate, loss));
        if (taken.Count < Together)
        {
            return true;
        }

        double mean = taken.TakeLast(Together).Average(t => t.Loss);
        first = taken.Count == Together ? mean : first;
        least = Math.Min(least, mean);
        return mean <= Math.Min(AboveLeast * least, AboveFirst * first);
    }

    /// <summary>What the losses show that were taken.</summary>
    /// <param name="end">Why there are no more.</param>
    public RangeTestResult Result(RangeTestEnd end)
    {
        RatePoint[] points = [.. taken.Select((t, i) => new RatePoint(t.Rate, t.Loss, Smoothed(i)))];
        var (suggestion, reason) = Suggest(points, end);
        return new RangeTestResult(range, steps, points, end, suggestion, reason);
    }

    private double Smoothed(int at)
    {
        double deviation = Math.Max(1, Width * steps), sum = 0, weights = 0;
        int reach = (int)Math.Ceiling(Reach * deviation);
        for (int i = Math.Max(0, at - reach); i <= Math.Min(taken.Count - 1, at + reach); i++)
        {
            double off = (i - at) / deviation, weight = Math.Exp(-off * off / 2);
            sum += weight * taken[i].Loss;
            weights += weight;
        }

        return sum / weights;
    }

    private static (double? Rate, string Reason) Suggest(RatePoint[] points, RangeTestEnd end)
    {
        int lowest = 0, steepest = 0;
        double fall = 0;
        for (int i = 1; i < points.Length; i++)
        {
            lowest = points[i].Smoothed < points[lowest].Smoothed ? i : lowest;
        }

        for (int i = 1; i < lowest; i++)
        {
            // The rates are in equal ratios: this is the slope over their logarithm, but for a factor.
            double here = points[i - 1].Smoothed - points[i + 1].Smoothed;
            (steepest, fall) = here > fall ? (i, here) : (steepest, fall);
        }

        if (points.Length < FewestSteps || fall == 0)
        {
            return (
                null,
                points.Length < FewestSteps
                    ? $"{points.Length} steps with a finite loss are too few to suggest a learning rate; begin with a smaller one"
                    : "the loss did not fall at any rate of the range: begin with a smaller one, or take other data or weights"
            );
        }

        double chosen = Rounded(points[lowest].Rate / 10);
        string reason = $"a tenth of {Text(points[lowest].Rate)}, the rate at which the smoothed loss was least; it fell steepest at "
            + Text(points[steepest].Rate);
        return (chosen, lowest == points.Length - 1 && end == RangeTestEnd.Whole
            ? $"{reason}, and still fell at the highest rate: a range with higher ones may show more"
            : reason);
    }

    private static double Rounded(double rate) => double.Parse(Text(rate), CultureInfo.InvariantCulture);

    // Two digits: noise leaves no more.
    private static string Text(double rate) => rate.ToString("0.0e-0", CultureInfo.InvariantCulture);
}
