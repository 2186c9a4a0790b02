using System.Globalization;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>The rates of a schedule, drawn in columns of block characters above an axis of steps.</summary>
internal static class RateChart
{
    private const int Columns = 64,
        Rows = 10,
        Eighths = 8;

    // What a cell shows that is filled by so many eighths from below.
    private const string Fillings = " ▁▂▃▄▅▆▇█";

    /// <summary>Draws it, with what it is above.</summary>
    public static void Write(TextWriter output, LearningRateSchedule schedule)
    {
        long last = schedule.Span.Steps - 1;
        int columns = (int)Math.Min(Columns, schedule.Span.Steps);
        double[] rates = [.. Enumerable.Range(0, columns).Select(c => schedule.At(columns == 1 ? 0 : c * last / (columns - 1)))];
        double most = Math.Max(rates.Max(), double.Epsilon);
        int[] heights = [.. rates.Select(r => (int)Math.Round(Math.Max(0, r) / most * Rows * Eighths))];
        string top = most.ToString("0.00e-0", CultureInfo.InvariantCulture);
        output.WriteLine($"{schedule}");
        output.WriteLine();
        for (int row = Rows - 1; row >= 0; row--)
        {
            string label = (row == Rows - 1 ? top : "").PadLeft(top.Length);
            string cells = string.Concat(heights.Select(h => Fillings[Math.Clamp(h - (row * Eighths), 0, Eighths)]));
            output.WriteLine($"{label} │{cells}".TrimEnd());
        }

        output.WriteLine($"{"0".PadLeft(top.Length)} └{new string('─', columns)}");
        string steps = schedule.Span.Steps.ToString("N0", CultureInfo.InvariantCulture);
        string right = columns > steps.Length + 1 ? steps.PadLeft(columns - 1) : $" to {steps}";
        output.WriteLine($"{new string(' ', top.Length)}  1{right}  step");
    }
}
