using System.Globalization;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>What a range test found, for people: a table of the loss over the rate, and the rate to train with.</summary>
internal static class RangeTestReport
{
    private const int Rows = 24,
        Columns = 40;

    /// <summary>Writes it.</summary>
    public static void Write(TextWriter output, RangeTestResult found, string? page)
    {
        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Range test of {found.Range}: {found.Ending}"));
        if (found.Points.Count > 0)
        {
            Table(output, found);
        }

        output.WriteLine(found.Suggestion is { } rate
            ? string.Create(CultureInfo.InvariantCulture, $"Suggested: --lr {rate:0.0e-0} ({found.Reason})")
            : $"No suggestion: {found.Reason}");
        if (page is not null)
        {
            output.WriteLine($"Curve in {page}: open it in a browser");
        }
    }

    private static void Table(TextWriter output, RangeTestResult found)
    {
        var points = found.Points;
        int[] shown = [.. Enumerable.Range(0, Math.Min(Rows, points.Count)).Select(r => RowOf(r, points.Count))];
        double low = points.Min(p => p.Smoothed), high = Math.Max(points[0].Smoothed, low + double.Epsilon);
        int marked = found.Suggestion is { } rate ? shown.MinBy(i => Math.Abs(Math.Log(points[i].Rate / rate))) : -1;
        output.WriteLine("lr            loss  smoothed");
        foreach (int i in shown)
        {
            // Above where it began it is over.
            double share = Math.Clamp((points[i].Smoothed - low) / (high - low), 0, 1);
            string bar = new('█', (int)Math.Round(share * Columns));
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{points[i].Rate,-8:0.00e-0}{points[i].Loss,10:0.0000}{points[i].Smoothed,10:0.0000}  {(i == marked ? "> " : "  ")}{bar}"
            ).TrimEnd());
        }
    }

    private static int RowOf(int row, int count) => count <= Rows ? row : (int)Math.Round((double)row * (count - 1) / (Rows - 1));
}
