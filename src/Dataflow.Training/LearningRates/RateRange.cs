using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>The learning rates that a range test goes through, in equal ratios from the first to the last.</summary>
/// <param name="From">Of the first step, above 0.</param>
/// <param name="To">Of the last step, above the first and below 1000.</param>
public readonly record struct RateRange(double From, double To)
{
    private const double MostRate = 1e3;
    private const string Between = "..";

    /// <summary>From 1e-6, with which nothing learns, to 1, with which everything diverges.</summary>
    public static RateRange Default { get; } = new(1e-6, 1);

    /// <summary>Reads "1e-6..1".</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static RateRange Parse(string text)
    {
        string[] ends = text.Split(Between);
        return ends.Length == 2 && Read(ends[0], out double from) && Read(ends[1], out double to)
            ? new RateRange(from, to).Checked()
            : throw new UserErrorException(
                $"'{text}' is no range of learning rates; write {Default}, or nothing, which is the same"
            );
    }

    /// <summary>Itself.</summary>
    /// <exception cref="UserErrorException">Its rates do not rise, or no step can have them.</exception>
    public RateRange Checked() =>
        From > 0 && To > From && To < MostRate && (float)From > 0
            ? this
            : throw new UserErrorException(
                $"the learning rates {this} do not rise from above 0 to below 1000; write {Default}, for example"
            );

    /// <summary>The rate of a step, the first of which is 0.</summary>
    /// <param name="step">Of the test.</param>
    /// <param name="steps">Of the whole range: 2 or more.</param>
    public double At(long step, long steps) => From * Math.Pow(To / From, (double)step / (steps - 1));

    /// <summary>As it is read.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{From:0.######e-0}{Between}{To:0.######}");

    private static bool Read(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
}
