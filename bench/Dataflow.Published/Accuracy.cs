namespace Dataflow.Published;

/// <summary>How far predictions lie from measurements, over some rows.</summary>
/// <param name="Median">Of absolute errors of tokens a second.</param>
/// <param name="Percentile95">Of the same.</param>
/// <param name="Mean">Signed: above 0 where predictions are too fast.</param>
internal sealed record Accuracy(string Name, int Rows, double Median, double Percentile95, double Most, double Mean)
{
    /// <summary>The most that each machine and model may miss by.</summary>
    public const double MedianLimit = 0.04;

    /// <summary>The same of 19 rows in 20.</summary>
    public const double Percentile95Limit = 0.10;

    /// <summary>Within both limits.</summary>
    public bool IsMet => Median <= MedianLimit && Percentile95 <= Percentile95Limit;

    /// <summary>Over rows that ran.</summary>
    public static Accuracy Of(string name, IReadOnlyCollection<Comparison> rows)
    {
        double[] errors = [.. rows.Select(r => Math.Abs(r.Error)).Order()];
        double At(double share) => errors[Math.Max(0, (int)Math.Ceiling(share * errors.Length) - 1)];
        return new Accuracy(name, errors.Length, At(0.5), At(0.95), errors[^1], rows.Average(r => r.Error));
    }

    /// <summary>By machine and model, in the file's order.</summary>
    public static IReadOnlyList<Accuracy> ByMachineAndModel(IEnumerable<Comparison> rows) =>
        [.. rows.GroupBy(r => $"{r.Row.Machine} {r.Row.Model}").OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => Of(g.Key, [.. g]))];
}
